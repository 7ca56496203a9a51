"""Where the measurements are made: the real engine, the simulated clouds, programs and stacks to preview."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tools.bench.figures import Samples
from virtci.places import ENGINE, ROOT
from virtci.rehearsal.engine import PROJECT, Run, Workspace
from virtci.rehearsal.journal import FaultPlan
from virtci.rehearsal.world import read_stacks, world

PROGRAMS = Path(__file__).resolve().parent / "program"
HUB, *_ = STACKS = ("hub", "dev", "test")
Say = Callable[[str], None]
Measure = Callable[[], float]


class MeasurementError(Exception):
    """Something that should be measured does not run."""


class NotHereError(Exception):
    """What a comparison needs is not on this machine."""


class Lab:
    """Workspaces for the bench's own programs and for the committed stacks, with one set of clouds."""

    def __init__(self, folder: Path, attach: Mapping[str, str], repeat: int, quick: bool, say: Say) -> None:
        self.folder, self.repeat, self.quick, self.say = folder, repeat, quick, say
        self.steps: dict[str, int] = {}
        """How many resources the last preview of a stack met."""
        self.processor: dict[str, list[float]] = defaultdict(list)
        """Processor seconds of this process in each preview of a stack: simulated clouds, and reading events."""
        self._attach = attach
        self._programs = Workspace(folder / "programs", attach, PROGRAMS)
        project = self._programs.project
        options = {"toolchain": "pip", "virtualenv": os.path.relpath(ROOT / ".venv", project)}
        content = {
            "name": PROJECT,
            "main": os.path.relpath(PROGRAMS, project),
            "runtime": {"name": "python", "options": options},
        }
        (project / "Pulumi.yaml").write_text(yaml.safe_dump(content))

    @cached_property
    def _fresh(self) -> Workspace:
        return Workspace(self.folder / "fresh", self._attach)

    @cached_property
    def _with_hub(self) -> Workspace:
        workspace = Workspace(self.folder / "with-hub", self._attach)
        self.say(f"{HUB} is deployed first: the other stacks read it")
        expect(workspace.up(HUB), HUB)
        return workspace

    def home_of(self, stack: str) -> Workspace:
        """The workspace in which a committed stack is not deployed, and what it reads is."""
        return self._fresh if stack == HUB else self._with_hub

    def program(self, name: str) -> Measure:
        """The preview of one of the bench's programs."""
        return lambda: self._preview(self._programs, name, policies=False)

    def stack(self, name: str, *, policies: bool) -> Measure:
        """The first preview of a committed stack."""
        return lambda: self._preview(self.home_of(name), name, policies=policies)

    def in_turn(self, measures: Mapping[str, Measure], most: int | None = None) -> dict[str, Samples]:
        """Measures everything in turn, several times, every other time backwards: what drifts, drifts for all."""
        count = min(self.repeat, most or self.repeat)
        found: dict[str, list[float]] = {name: [] for name in measures}
        for turn in range(count):
            for name in list(measures)[:: -1 if turn % 2 else 1]:
                found[name].append(measures[name]())
                self.say(f"{turn + 1}/{count}  {name}: {found[name][-1]:.2f}")
        return dict(found)

    def _preview(self, workspace: Workspace, stack: str, *, policies: bool) -> float:
        workspace.stack(stack)  # making it is not part of the preview
        started, began = time.perf_counter(), time.process_time()
        if policies:
            run = workspace.preview(stack)
            expect(run, stack)
            count = len(run.steps)
        else:
            # As a reviewer runs it: the event log of a rehearsal would add a fifth to every resource.
            count = sum(json.loads(workspace.pulumi(stack, "preview", "--json"))["changeSummary"].values())
        self.processor[stack].append(time.process_time() - began)
        self.steps[stack] = count
        return time.perf_counter() - started


def expect(run: Run, what: str) -> None:
    """Raises what the engine and the policies said, where a run did not work."""
    if not run.succeeded:
        said = run.errors + [f"{verdict.policy}: {verdict.message}" for verdict in run.mandatory]
        message = f"{run.operation} of `{what}` did not work: {'; '.join(said)}"
        raise MeasurementError(message)


@contextmanager
def lab(repeat: int, quick: bool, say: Say) -> Iterator[Lab]:
    """Starts clouds for the committed stacks, and warms up: compiled modules and file cache are nobody's cost."""
    if not (ENGINE / "bin" / "pulumi").exists():
        message = f"there is no engine in {ENGINE.name}/; run `make setup`, which brings it"
        raise MeasurementError(message)
    with TemporaryDirectory(prefix="virt-ci-bench-") as folder, world(read_stacks(STACKS), FaultPlan()) as simulated:
        made = Lab(Path(folder), simulated.servers.environment, repeat, quick, say)
        say("warming up")
        for program in ("empty", "machines-1"):
            made.program(program)()
        yield made
