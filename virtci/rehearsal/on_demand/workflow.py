"""A repository whose workflow starts runners, uses them and ends them, on what a rehearsal deployed.

The workflow files, the commands in them, the engine and the policies are the real ones; `act` runs the jobs. A step that
tests something on a runner hands a job to the simulated GitHub, whose agent on the machine in the sandbox takes it: so a job
runs where its label led it. Commands and machines have real clocks, so the clouds are moved on to the present.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.outputs.check import read
from virtci.outputs.contract import VARIABLE, AzureRunnersPart
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.blobs import Blobs, serve_blobs
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.boot.sandbox import unavailable as no_sandbox
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.engine import UNUSABLE, Workspace
from virtci.rehearsal.github import workflow_runs
from virtci.rehearsal.on_demand.images import offered_images
from virtci.rehearsal.on_demand.jobs import Machines, Work, serve_identity_tokens, serve_jobs
from virtci.rehearsal.on_demand.playing import Playing, playing
from virtci.rehearsal.pipeline.act import Origin, Rehearsal, Repository, WorkflowRun
from virtci.rehearsal.pipeline.act import unavailable as no_act
from virtci.rehearsal.pipeline.checkout import COMMIT, checkout_of_this_project, user_of_this_project
from virtci.rehearsal.pipeline.stand_ins import ID_TOKENS
from virtci.rehearsal.world import World

INFRASTRUCTURE = "rehearsal-org/virt-ci"
NAME, NUMBER = "KM CI Pipeline", 1279
WORKFLOW, SWEEP = "km-ci.yaml", "sweep-runners.yaml"
BRANCH = "master"
REF = f"refs/heads/{BRANCH}"
WORK: Mapping[str, Work] = {
    "km-test": Work(Cloud.AZURE, ": <>/dev/kvm"),
    "kkm-test-vms": Work(Cloud.EC2, "test ! -e /dev/kvm"),
}
"""What the jobs of the workflow do on their machine: the one needs its hypervisor, the other brings a module of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """A workflow that was run, or why none was. `left`: what was still somewhere of its machines afterwards."""

    run: WorkflowRun | None = None
    boots: Playing | None = None
    left: tuple[str, ...] = ()
    seconds: float = 0.0
    skipped: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the workflow was green, all its machines could be played, and nothing is left; one that was skipped is not red."""
        played = self.boots is None or not self.boots.troubles
        return self.run is None or (self.run.result == "success" and played and not self.left)


@dataclass
class Push:
    """A push to the repository, and what its run is on GitHub. `work`: what its jobs do on their machines."""

    rehearsal: Rehearsal
    machines: Machines
    attempts: list[WorkflowRun] = field(default_factory=list)

    def run(self) -> WorkflowRun:
        """Its run, until the last job is over."""
        return self._performed(lambda: self.rehearsal.run(WORKFLOW))

    def rerun_failed(self, work: Mapping[str, Work]) -> WorkflowRun:
        """Somebody runs the failed jobs again; they wait for the label that they were given."""
        self.machines.work.update(work)
        with self.machines.github.held() as github:
            for job in workflow_runs.rerun_failed(github, self.machines.run):
                job.does = self.machines.work[job.name].does
        return self._performed(lambda: self.rehearsal.rerun_failed(WORKFLOW, self.attempts[-1]))

    def _performed(self, run: Callable[[], WorkflowRun]) -> WorkflowRun:
        with serve_jobs(self.machines) as address:
            self.rehearsal.environment = {**self.rehearsal.environment, "REHEARSAL_MACHINES": address}
            self.attempts.append(run())
        return self.attempts[-1]


@dataclass(frozen=True, kw_only=True)
class User:
    """The repository, ready to be pushed to."""

    folder: Path
    world: World
    repository: str
    variables: Mapping[str, str]
    checkouts: Mapping[str, Repository]
    environment: Mapping[str, str]
    logins: Mapping[str, Path]
    playing: Playing
    before: frozenset[str]

    def push(self, work: Mapping[str, Work] = WORK) -> Push:
        """A push; its run has not begun."""
        with self.world.github.held() as github:
            run = workflow_runs.open_run(github, github.repository(*self.repository.split("/")), NAME, NUMBER)
        named = Run(repository=self.repository, workflow=NAME, run_number=NUMBER, run_id=run.id, attempt=1)
        labels = {cloud: RunnerName(run=named, cloud=cloud).label for cloud in Cloud}
        machines = Machines(github=self.world.github, run=run, work={**WORK, **work}, labels=labels)
        return Push(self._rehearsal("push", run.id, labels.values()), machines)

    def sweep(self) -> WorkflowRun:
        """The scheduled sweep."""
        with self.world.github.held() as github:
            number = github.next_id()
        return self._rehearsal("schedule", number).run(SWEEP)

    def left(self) -> list[str]:
        """What is there that was not before the first push: in the clouds, and of runners on GitHub."""
        return sorted(things(self.world) - self.before)

    def _rehearsal(self, event: str, number: int, labels: Iterable[str] = ()) -> Rehearsal:
        origin = Origin(
            repository=self.repository,
            event=event,
            payload={"repository": {"full_name": self.repository, "default_branch": BRANCH}, "ref": REF},
            ref=REF,
            environments={ENVIRONMENT: self.variables},
            environment_secrets={ENVIRONMENT: {"RUNNERS_APP_PRIVATE_KEY": "rehearsal-key"}},
            run_id=number,
            run_number=NUMBER,
            labels=tuple(labels),
        )
        return Rehearsal(self.folder / f"{event}-{number}", origin, self.checkouts, self.environment, self.logins)


def launch(world: World, workspace: Workspace, result: StackResult) -> Launched:
    """Runs the workflow once on the deployed stack, or says why that is not possible here."""
    found = read(result.outputs).runners
    if found is None or found.azure is None:
        return Launched(skipped="leases and records of runners are in Azure, where this stack has none")
    if reason := no_act() or no_sandbox():
        return Launched(skipped=reason)
    started = time.monotonic()
    with user_of_runners(world, workspace, result) as user:
        run = user.push().run()
        left = user.left()
    return Launched(run=run, boots=user.playing, left=tuple(left), seconds=time.monotonic() - started)


@contextmanager
def user_of_runners(world: World, workspace: Workspace, result: StackResult) -> Iterator[User]:
    """The repository of a deployed stack with on-demand runners, until the block ends."""
    part = read(result.outputs).runners
    assert part is not None  # noqa: S101
    assert part.azure is not None  # noqa: S101
    world.clock.advance(max((datetime.now(UTC) - world.clock.now).total_seconds(), PROPAGATION_SECONDS))
    folder = workspace.folder / "on-demand"
    folder.mkdir()
    repository = result.settings.repository
    with ExitStack() as running:
        running.enter_context(offered_images(world, part))
        clouds = running.enter_context(clouds_of_launcher(world, part.azure, folder))
        environment = {
            **{name: value for name, value in workspace.environment.items() if name != "PATH"},
            "GITHUB_API_URL": world.github_url,
            ID_TOKENS: running.enter_context(serve_identity_tokens(repository, ENVIRONMENT)),
        }
        yield User(
            folder=folder,
            world=world,
            repository=repository,
            variables=variables(world, workspace, result),
            checkouts={
                repository: user_of_this_project("km", folder / "km", INFRASTRUCTURE, BRANCH),
                INFRASTRUCTURE: Repository(folder=project(workspace, folder / "virt-ci"), commit=COMMIT),
            },
            environment=environment,
            logins={part.azure.launcher.client_id: clouds},
            playing=running.enter_context(playing(world, part)),
            before=frozenset(things(world)),
        )


@contextmanager
def clouds_of_launcher(world: World, azure: AzureRunnersPart, folder: Path) -> Iterator[Path]:
    """The file for `VIRTCI_CLOUDS` of the identity that starts and ends runners."""
    account = azure.state.account
    with serve(world.azure) as manager, serve_blobs(Blobs(world.azure, account), folder) as blobs:
        clouds = {
            "resourceManager": manager.url,
            "aws": world.aws.endpoint.url if world.aws else None,
            "blobs": {account: blobs.url},
            "certificate": str(blobs.certificate),
            "token": azure.launcher.principal_id,
        }
        file = folder / "clouds.json"
        file.write_text(json.dumps(clouds))
        yield file


def variables(world: World, workspace: Workspace, result: StackResult) -> dict[str, str]:
    """The variables of the GitHub Environment: those that the program set, and those that docs/runners.md asks a person for."""
    headers = {"Authorization": f"Bearer {UNUSABLE}"}
    with httpx.Client(base_url=world.github_url, headers=headers, trust_env=False) as github:
        path = f"/repos/{result.settings.repository}/environments/{ENVIRONMENT}/variables"
        listed = github.get(path, params={"per_page": 30}).raise_for_status().json()["variables"]
    return {item["name"]: item["value"] for item in listed} | {
        "RUNNERS_BACKEND_URL": workspace.environment["PULUMI_BACKEND_URL"],
        "RUNNERS_SECRETS_PROVIDER": "",
        "RUNNERS_APP_CLIENT_ID": "Iv1.runners",
        VARIABLE: json.dumps(result.outputs),
    }


def project(workspace: Workspace, folder: Path) -> Path:
    """A checkout with the stack files of the workspace."""
    checkout_of_this_project(folder)
    for source in workspace.project.glob("Pulumi.*.yaml"):
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def things(world: World) -> set[str]:
    """What the clouds have, and the runners that GitHub knows."""
    with world.github.held() as github:
        runners = [f"runner {runner.name}" for runner in github.runners.values()]
    return {*world.azure.remaining(), *(world.aws.cloud.remaining() if world.aws else ()), *runners}
