"""The phases in which L1VH becomes part of KubeVirt, and what the gate is in each unless somebody says otherwise.

Source: the L1VH plan (2025-09-03): alpha and beta are off by default, general availability is on where every node is
capable. Its version numbers are left out, because KubeVirt's releases have passed them.
"""

from dataclasses import dataclass
from enum import StrEnum

from virtci.core.environments import Gate


class Phase(StrEnum):
    """How far the feature has come."""

    ALPHA = "alpha"
    BETA = "beta"
    GA = "ga"


class Default(StrEnum):
    """What the gate is when nobody chooses."""

    OFF = "off"
    ON_WHERE_CAPABLE = "on where every node is capable"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One phase: the gate's default, and what must be shown before the phase begins."""

    default: Default
    entered_when: tuple[str, ...]


PHASES = {
    Phase.ALPHA: Rollout(
        Default.OFF,
        (
            "the gate changes nothing while it is off",
            "virtual machines run on L1VH with gate and device, and as before without either",
        ),
    ),
    Phase.BETA: Rollout(
        Default.OFF,
        (
            "the end-to-end tests pass on L1VH",
            "startup and memory are measured against KVM, and within the plan's limits",
            "metrics, alerts and cluster requirements are written down",
        ),
    ),
    Phase.GA: Rollout(
        Default.ON_WHERE_CAPABLE,
        (
            "every feature of KubeVirt on KVM works on L1VH, migration included",
            "hardware can be passed through",
        ),
    ),
}
CURRENT = Phase.ALPHA
"""Upstream's gate is alpha in kubevirt/kubevirt d923fdb815 (2026-08-22), and so is the fork's."""


def default_gate(phase: Phase, gate: Gate, *, ready: bool) -> Gate:
    """The gate that a cluster gets in a phase when its owner chooses none; `gate` is the one that its KubeVirt knows."""
    on = PHASES[phase].default is Default.ON_WHERE_CAPABLE and ready
    return gate if on else Gate.OFF
