"""What only the owner of a deployment can know, and whether a stack file still has a rehearsal's values for it."""

from collections.abc import Iterator
from contextlib import suppress

from virtci.core.environments import Environment
from virtci.core.placeholders import is_placeholder
from virtci.core.problems import Problem
from virtci.settings.models import EnvironmentSettings, Hub, KubeVirt
from virtci.settings.runners import RunnerFleet
from virtci.settings.section import Parts, UnreadableError


def no_placeholders(parts: Parts) -> Iterator[Problem]:
    """Outside a rehearsal, no value is one of the committed rehearsal values."""
    for key, value in _inputs_without_default(parts):
        if is_placeholder(value):
            yield Problem(
                key, value, "a real deployment uses real values; this is a rehearsal's placeholder",
                "the deployment would address something that belongs to nobody",
                f"set your own: `pulumi config set --path 'virt-ci:{key}' …`",
            )  # fmt: skip


def _inputs_without_default(parts: Parts) -> Iterator[tuple[str, str]]:
    """What only the owner of a deployment can know."""
    for key in ("subscription", "tenant", "repository"):
        if key in parts:
            yield key, parts[key]
    hub: Hub | None = parts.get("hub")
    if hub:
        with suppress(UnreadableError):
            yield "hub.infrastructureRepository", hub.infrastructure_repository
        with suppress(UnreadableError):
            yield "hub.runners.agent.sha256", hub.runners.agent.sha256
        with suppress(UnreadableError):
            yield from _indexed("hub.protection.reviewers", hub.protection.reviewers)
    if parts.get("budget"):
        with suppress(UnreadableError):
            yield from _indexed("budget.contacts", parts["budget"].contacts)
    yield from _images(parts)
    yield from _runners(parts)
    environments: dict[Environment, EnvironmentSettings] = parts.get("environments", {})
    for name, environment in environments.items():
        with suppress(UnreadableError):
            if environment.machine:
                yield f"environments.{name}.machine.image", environment.machine.image
        with suppress(UnreadableError):
            if environment.machine:
                yield f"environments.{name}.machine.k3s.binarySha256", environment.machine.k3s.binary_sha256
        with suppress(UnreadableError):
            if environment.machine:
                yield (
                    f"environments.{name}.machine.k3s.installScriptSha256",
                    environment.machine.k3s.install_script_sha256,
                )
        with suppress(UnreadableError):
            yield from _indexed(f"environments.{name}.protection.reviewers", environment.protection.reviewers)


def _images(parts: Parts) -> Iterator[tuple[str, str]]:
    """The inputs of a cluster's contents."""
    kubevirt: KubeVirt | None = parts.get("kubevirt")
    if not kubevirt:
        return
    with suppress(UnreadableError):
        yield "kubevirt.release", kubevirt.release
    with suppress(UnreadableError):
        yield "kubevirt.probeImage", kubevirt.probe_image
    with suppress(UnreadableError):
        if kubevirt.prometheus_image:
            yield "kubevirt.prometheusImage", kubevirt.prometheus_image


def _runners(parts: Parts) -> Iterator[tuple[str, str]]:
    """The inputs of on-demand runners."""
    runners: RunnerFleet | None = parts.get("runners")
    if not runners:
        return
    with suppress(UnreadableError):
        yield "runners.agent.sha256", runners.agent.sha256
    with suppress(UnreadableError):
        if runners.leases.server:
            yield "runners.leases.server.image", runners.leases.server.image
            yield "runners.leases.server.reaperImage", runners.leases.server.reaper_image
    with suppress(UnreadableError):
        if runners.aws:
            yield "runners.aws.account", runners.aws.account


def _indexed(key: str, values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for index, value in enumerate(values):
        yield f"{key}[{index}]", value
