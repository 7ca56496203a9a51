"""Sets up a rehearsal for a test: stack files that can be edited, faults, and the real engine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.committed import ROOT
from virtci.rehearsal.engine import Run, Workspace
from virtci.rehearsal.journal import Fault, FaultPlan
from virtci.rehearsal.kubernetes.server import Cluster
from virtci.rehearsal.world import World, azure_scenario, read_stacks, world

Edit = Callable[[dict[str, Any]], None]


@dataclass
class Stage:
    """A workspace with its clouds; stack files are edited between operations as a person would."""

    folder: Path
    workspace: Workspace
    world: World

    def edit(self, stack: str, change: Edit) -> None:
        """Changes the configuration of a stack."""
        path = self.workspace.project / f"Pulumi.{stack}.yaml"
        content = yaml.safe_load(path.read_text())
        change(content["config"])
        path.write_text(yaml.safe_dump(content))

    def up(self, stack: str) -> Run:
        """Deploys and expects it to work."""
        run = self.workspace.up(stack)
        assert run.succeeded, "\n".join(run.errors)
        return run


@contextmanager
def stage(
    folder: Path,
    stacks: tuple[str, ...],
    faults: tuple[Fault, ...] = (),
    edits: Mapping[str, Edit] | None = None,
    wanted: Mapping[str, Cluster] | None = None,
    **scenario: object,
) -> Iterator[Stage]:
    """A stage for the named stacks, with their files edited before the clouds are made to fit them.

    `scenario` changes what the simulated Azure is like beyond that, for example `limits` or `taken_names`; `wanted` has
    clusters that are other than the settings say.
    """
    files = folder / "files"
    files.mkdir()
    for name in stacks:
        content = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())
        if edits and name in edits:
            edits[name](content["config"])
        (files / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(content))
    settings = read_stacks(stacks, files)
    azure = azure_scenario(settings).model_copy(update=scenario)
    with world(settings, FaultPlan(faults=faults), azure, wanted) as simulated:
        own = simulated.own_environments
        yield Stage(folder, Workspace(folder / "run", simulated.servers.environment, files, own), simulated)


def kinds(run: Run, operation: str) -> list[str]:
    """The types of the resources that an operation met in a run."""
    return sorted(urn.split("::")[2].split("$")[-1] for urn, step in run.steps.items() if step == operation)
