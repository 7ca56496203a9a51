"""What the KubeVirt pipeline decides: what each environment tests, what may be promoted, and how a run ended.

The order and the promotion are those of the L1VH CI/CD description: everything goes through `dev` first, what passed
there goes on unchanged, and the other environments do not stop each other.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from virtci.core.environments import ROWS, Environment, TestScope
from virtci.core.label_filters import label_filter, label_problems
from virtci.core.problems import Problem, ProblemsError, Refusal

FIRST = Environment.DEV
"""Where every release is tested first."""
PROMOTED = tuple(environment for environment in ROWS if environment is not FIRST)
"""Where a release goes that passed the first environment."""
SUITE_HOURS = {TestScope.NEW: 4, TestScope.EXISTING: 4, TestScope.ALL: 8}
"""Hours after which ginkgo ends a suite.

Sources: 4 is the default of kubevirt/kubevirt hack/functests.sh d923fdb815 (2026-08-22); 8 is what the whole suite has in the
Hyper-V lane of kubevirt/project-infra kubevirt-presubmits.yaml 2c863fd10 (2026-08-22).
"""
AROUND_SUITE_MINUTES = 60
"""What a job may take beside the suite: to wake a machine, fetch sources, build the test program, keep results, measure."""
SELF_HOSTED = "self-hosted"
"""The label that GitHub gives every runner of one's own; it comes first."""
VERSION = re.compile(r"v\d+\.\d+\.\d+")
PLAN = "plan"
"""The job that is skipped for a fork, and for nothing else."""
FROM_FORK = "the pull request comes from a fork; a maintainer who has read it pushes it to a branch of this repository"
JobResult = Literal["success", "failure", "cancelled", "skipped"]
"""What GitHub says of a job in `needs`."""
ParserProblem = Callable[[str], str]
"""What ginkgo's own parser says of a filter; nothing for a good one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What the output contract says about the tests of an environment."""

    environment: Environment
    enabled: bool
    reason: str
    scope: TestScope
    focus: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What the pipeline does in one environment; `labels` are those of the runner, times are in minutes."""

    environment: Environment
    enabled: bool
    reason: str
    label_filter: str
    labels: tuple[str, ...]
    suite_minutes: int
    job_minutes: int

    def entry(self) -> dict[str, object]:
        """As an entry of a matrix."""
        return {
            "environment": self.environment.value,
            "enabled": self.enabled,
            "reason": self.reason,
            "filter": self.label_filter,
            "labels": list(self.labels),
            "suiteMinutes": self.suite_minutes,
            "jobMinutes": self.job_minutes,
        }


def plan(
    declared: Iterable[Declared], labels: Sequence[str], parser_problem: ParserProblem = lambda _: ""
) -> tuple[Planned, ...]:
    """What each environment of the table does, the first one first.

    `labels` are those of the fleet's runners. Raises `ProblemsError` with all that is wrong: an
    environment that nobody declares, tests that are off without a reason, a filter that is empty, names an unknown
    label or is no filter for ginkgo, a fleet without runners.
    """
    found = {item.environment: item for item in declared}
    problems = [_missing(environment) for environment in (FIRST, *PROMOTED) if environment not in found]
    if not labels:
        problems.append(_no_runners())
    for item in found.values():
        problems += _problems(item, parser_problem)
    if problems:
        raise ProblemsError("output contract", problems)
    return tuple(_planned(found[environment], labels) for environment in (FIRST, *PROMOTED))


def version_of(base: str, run_number: int) -> str:
    """The version of what a run builds, which is also its tag. Raises `Refusal` for a base that is no release."""
    if not VERSION.fullmatch(base):
        raise Refusal(
            f"the version that a build is based on looks like v1.8.2, not `{base}`",
            "KubeVirt's operator refuses to run an image whose tag is no version",
            "give the version of the KubeVirt release that the branch is made from",
        )
    return f"{base}-l1vh.{run_number}"


class Ending(StrEnum):
    """How an environment ended in a run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    NOT_PROMOTED = "not promoted"
    NOT_STARTED = "not started"

    @property
    def good(self) -> bool:
        """Whether it lets the run be green; skipped tests do, because they are off for a stated reason."""
        return self in (Ending.PASSED, Ending.SKIPPED)


@dataclass(frozen=True, slots=True)
class Tests:
    """The figures of a suite."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    __test__ = False

    @property
    def ran(self) -> int:
        """Tests that were not skipped."""
        return self.passed + self.failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an environment ended, and why when it is not simply passed."""

    ending: Ending
    reason: str = ""


def outcome(deploy: JobResult, test: JobResult, tests: Tests | None, switched_off: str) -> Outcome:
    """How an environment ended, from its jobs, the figures of its suite, and the reason why the suite is off."""
    if "cancelled" in (deploy, test):
        return Outcome(Ending.CANCELLED, "the run was cancelled")
    if deploy != "success":
        return Outcome(Ending.FAILED, "the release was not deployed")
    if switched_off:
        return Outcome(Ending.SKIPPED, switched_off)
    if tests and tests.failed:
        return Outcome(Ending.FAILED, f"{tests.failed} of {tests.ran} tests failed")
    if test == "success" and tests and tests.ran:
        return Outcome(Ending.PASSED)
    return Outcome(Ending.FAILED, "the suite did not run to its end" if test == "failure" else "no test ran")


def check_promotion(first: Outcome, tested: str, built: str) -> None:
    """Lets a release go on. `tested` and `built` are release digests. Raises `Refusal` that says why it stays."""
    if first.ending is not Ending.PASSED:
        raise Refusal(
            f"a release passes the tests of `{FIRST}` before it goes on; they ended as {first.ending}: {first.reason}",
            "no test environment gets it",
            f"make `{FIRST}` green, then run its failed jobs again",
        )
    if tested != built:
        raise Refusal(
            f"what goes on is what was tested: {tested}, not {built}",
            "the test environments would get other images",
            "run the whole pipeline again; a release is built once for a run",
        )


def verdict(
    found: Mapping[Environment, Outcome], before: Mapping[str, JobResult], promote: JobResult
) -> dict[Environment, Outcome]:
    """How every environment ended; `before` are the results of the jobs before all environments, in order.

    One that left no result did not start, did not get the release, or was cut short.
    """
    stopped = next((f"`{name}` ended as {result}" for name, result in before.items() if result != "success"), "")
    if before.get(PLAN) == "skipped":
        stopped = FROM_FORK
    cut_short = Outcome(Ending.CANCELLED, "its jobs left no result")
    first = found.get(FIRST) or (Outcome(Ending.NOT_STARTED, stopped) if stopped else cut_short)
    missing = cut_short
    if first.ending is not Ending.PASSED:
        missing = Outcome(Ending.NOT_PROMOTED, f"the release did not pass `{FIRST}`")
    elif promote != "success":
        missing = Outcome(Ending.NOT_PROMOTED, f"the promotion ended as {promote}")
    return {FIRST: first, **{environment: found.get(environment, missing) for environment in PROMOTED}}


def _planned(declared: Declared, labels: Sequence[str]) -> Planned:
    suite = SUITE_HOURS[declared.scope] * 60
    return Planned(
        environment=declared.environment,
        enabled=declared.enabled,
        reason=declared.reason,
        label_filter=label_filter(declared.environment, declared.focus),
        labels=tuple(dict.fromkeys((SELF_HOSTED, *labels))),
        suite_minutes=suite,
        job_minutes=suite + AROUND_SUITE_MINUTES,
    )


def _problems(declared: Declared, parser_problem: ParserProblem) -> list[Problem]:
    key = f"environments.{declared.environment}.tests"
    found = []
    if not declared.enabled and not declared.reason.strip():
        found.append(
            Problem(
                f"{key}.reason", declared.reason, "tests that are off say why",
                "nobody could tell skipped tests from forgotten ones",
                f"set environments.{declared.environment}.tests.reason and deploy its stack",
            )
        )  # fmt: skip
    text = label_filter(declared.environment, declared.focus)
    found += label_problems(text, f"{key}.focus")
    if not found and (said := parser_problem(text)):
        found.append(
            Problem(
                f"{key}.focus", text, f"a label filter that ginkgo can read; it says: {said}",
                "the suite would not start", "correct the focus in virtci/core/environments.py and deploy the stack",
            )
        )  # fmt: skip
    return found


def _missing(environment: Environment) -> Problem:
    return Problem(
        f"environments.{environment}", None, "every environment of the table is deployed",
        "the pipeline would leave out what it should test",
        f"deploy the stack that declares `{environment}`, and give its outputs as well",
    )  # fmt: skip


def _no_runners() -> Problem:
    return Problem(
        "runnerLabels", [], "the labels of the fleet's runners",
        "no machine reaches the environments, whose networks are private", "give the outputs of the stack `hub` as well",
    )  # fmt: skip
