"""What a machine of a workflow run is called: its label, its stack, and the name that people see.

Nothing that has to be unique is made of a run number: GitHub starts it again when a workflow is deleted and made anew.
"""

import hashlib
import re
from dataclasses import dataclass

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
LABEL = re.compile(r"virt-ci-(?P<cloud>azure|ec2)-(?P<run>\d+)-(?P<attempt>\d+)-(?P<slot>\d+)-[0-9a-f]{8}")
STACK = re.compile(r"run-(?P<cloud>azure|ec2)-(?P<run>\d+)-(?P<attempt>\d+)-(?P<slot>\d+)(-again-(?P<again>\d+))?")
SHOWN = 120
"""Characters of a name that people see; both clouds take 256 in a tag, consoles show fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One attempt of a workflow run, as GitHub names it."""

    repository: str
    workflow: str
    run_number: int
    run_id: int
    attempt: int

    def __post_init__(self) -> None:
        if not REPOSITORY.fullmatch(self.repository):
            raise Refusal(
                f"a repository is written owner/name, not `{self.repository}`",
                "no runner can be registered with it",
                "hand over `github.repository`",
            )
        if not self.workflow.strip() or any(not character.isprintable() for character in self.workflow):
            raise Refusal(
                "a workflow has a name of printable characters",
                "nobody could tell its machines apart",
                "hand over `github.workflow`; a workflow without `name:` has the path of its file",
            )
        for what, value in (("run number", self.run_number), ("run id", self.run_id), ("attempt", self.attempt)):
            if value < 1:
                raise Refusal(
                    f"a {what} is a number from 1; it is {value}",
                    "its machines would have the names of another run's",
                    "hand over github.run_number, github.run_id and github.run_attempt",
                )

    @property
    def path(self) -> str:
        """The run as one word: `owner/name/id/attempt`."""
        return f"{self.repository}/{self.run_id}/{self.attempt}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerName:
    """One machine of a run: `slot` counts the machines of the run on that cloud, from 1.

    `again` counts the machines that came back under the label of an earlier one, whose jobs were run again.
    """

    run: Run
    cloud: Cloud
    slot: int = 1
    again: int = 0

    @property
    def label(self) -> str:
        """What a job asks for in `runs-on`, and the runner's name on GitHub; nobody else's, ever."""
        run = self.run
        told = f"{run.repository.lower()}\n{run.workflow}\n{run.run_id}\n{run.attempt}\n{self.cloud}\n{self.slot}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"virt-ci-{self.cloud}-{run.run_id}-{run.attempt}-{self.slot}-{digest}"

    @property
    def stack(self) -> str:
        """The stack that declares it, which is also its name in the cloud."""
        again = f"-again-{self.again}" if self.again else ""
        return f"{self.first_stack}{again}"

    @property
    def first_stack(self) -> str:
        """The stack of the first machine under its label."""
        return f"run-{self.cloud}-{self.run.run_id}-{self.run.attempt}-{self.slot}"

    @property
    def shown(self) -> str:
        """What people see, such as `azure-runner-KM-CI-Pipeline-1279`; a repeated attempt and a further slot follow it."""
        words = re.sub(r"[^A-Za-z0-9._]+", "-", self.run.workflow).strip("-") or "workflow"
        more = "".join(f"-{number}" for number in self._beyond_first())
        return f"{self.cloud}-runner-{words[:SHOWN]}-{self.run.run_number}{more}"

    def _beyond_first(self) -> tuple[int, ...]:
        if self.slot > 1:
            return (self.run.attempt, self.slot)
        return (self.run.attempt,) if self.run.attempt > 1 else ()


def stack_of(label: str) -> str:
    """The stack of the first machine under a label of ours. Raises `Refusal` for another label."""
    found = LABEL.fullmatch(label)
    if not found:
        raise Refusal(
            f"a label of ours looks like virt-ci-azure-123-1-1-0123abcd; `{label}` does not",
            "no machine of ours belongs to it",
            "take it from `run-ons` of the run, or from `virtci runners list`",
        )
    return f"run-{found['cloud']}-{found['run']}-{found['attempt']}-{found['slot']}"


def is_ours(label: str) -> bool:
    """Whether a runner on GitHub has a name that only this project gives."""
    return bool(LABEL.fullmatch(label))
