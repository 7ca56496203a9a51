"""What the rehearsal shows of runners and environments: how machines booted, and what nodes and GitHub said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.environments import ROWS
from virtci.core.readiness import Readiness
from virtci.rehearsal.boot.machines import MachineBoot
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.environments import Before
from virtci.rehearsal.runner import Enrolment


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentLine:
    """One environment, in words."""

    name: str
    booted: str
    hypervisor: str
    nodes: str
    gate: str
    kubevirt: str
    reasons: tuple[str, ...]
    """What differs from what was declared, and why."""
    good: bool


@dataclass(frozen=True, slots=True)
class RunnerLine:
    """One runner, in words."""

    name: str
    booted: str
    github: str
    remark: str
    good: bool | None
    """Nothing for one that stands back."""


def runner_lines(results: Sequence[StackResult]) -> Iterator[RunnerLine]:
    """A line for every runner of a hub that was deployed; one was booted for all."""
    for result in results:
        if result.runner:
            yield _runner_line(result.runner)
            for name in result.runner.alike:
                yield RunnerLine(name, _booted(None), "-", "boots like the first", None)


def _runner_line(found: Enrolment) -> RunnerLine:
    github = "-" if found.not_booted else "takes no jobs"
    remark = found.not_booted or found.trouble
    if found.takes_jobs:
        github, remark = "online, takes jobs", f"of {found.repository}"
    return RunnerLine(found.name, _booted(found.boot), github, remark, found.takes_jobs)


def environment_lines(results: Sequence[StackResult]) -> Iterator[EnvironmentLine]:
    """A line for every stack that is about the contents of a cluster."""
    for result in results:
        if result.before:
            yield _line(result, result.before)


def _line(result: StackResult, before: Before) -> EnvironmentLine:
    row = ROWS[before.environment]
    contents: dict[str, Any] = result.outputs.get("kubevirt", {})
    boot, readiness = before.boot, before.readiness
    found = boot.boot.hypervisor if boot and boot.boot else None
    reasons = [before.not_booted, boot.trouble if boot else "", boot.boot.reason if boot and boot.boot else ""]
    reasons += [str(contents["reason"])] if contents.get("fallback") else []
    return EnvironmentLine(
        name=before.environment.value,
        booted="managed" if row.compute == "cluster" else _booted(boot),
        hypervisor=row.hypervisor.value if found in (None, row.hypervisor) else f"{found}, declared {row.hypervisor}",
        nodes=_nodes(readiness),
        gate=_gate(contents),
        kubevirt=str(contents.get("version", "none")),
        reasons=tuple(dict.fromkeys(reason for reason in reasons if reason)),
        good=bool(contents) and (boot is None or boot.succeeded) and not before.not_booted,
    )


def _booted(boot: MachineBoot | None) -> str:
    if boot is None:
        return "not booted"
    stage = boot.boot.stage.value if boot.boot else "silent"
    return f"{stage}, waited {boot.waited} s" if boot.waited else stage


def _nodes(readiness: Readiness | None) -> str:
    if readiness is None:
        return "not measured"
    count = len(readiness.nodes)
    return f"{count - len(readiness.incapable)} of {count} ready"


def _gate(contents: dict[str, Any]) -> str:
    if not contents:
        return "-"
    return f"off, declared {contents['gateDeclared']}" if contents.get("fallback") else str(contents["gate"])
