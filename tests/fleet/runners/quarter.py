"""The real launcher before the simulated Azure and GitHub: the deployed substrate, and who plays the machines."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.rehearsal.stage import Stage, stage
from tests.rehearsal.test_runner_stacks import Substrate, build_image, in_azure
from tests.settings.test_runner_faults import KEY
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Request
from virtci.core.tags import TagSet
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.runners.azure import AzureRunners
from virtci.fleet.runners.build import pools, rules
from virtci.fleet.runners.embedded_leases import EmbeddedLeases
from virtci.fleet.runners.github import GitHubActions
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.objects import FileObjects
from virtci.fleet.runners.ports import Limits
from virtci.fleet.runners.stacks import RunStacks, common_settings
from virtci.fleet.waiting import Pace
from virtci.outputs.check import read
from virtci.outputs.contract import RunnersPart
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.github.runners import connect, enrol
from virtci.rehearsal.github.store import Runner
from virtci.settings.load import from_file

Found = TypeVar("Found")
REPOSITORY = "rehearsal-org/km"
POLL_SECONDS = 10.0
MACHINES = "Microsoft.Compute/virtualMachines"
NO_CREDENTIAL = ("none", "used")


@dataclass
class Quarter:
    """The substrate, the launcher on it, and its machines."""

    substrate: Substrate
    part: RunnersPart
    azure: AzureRunners
    stacks: RunStacks
    launcher: Launcher
    objects: FileObjects
    said: list[tuple[str, str]] = field(default_factory=list)

    @property
    def on(self) -> Stage:
        return self.substrate.on

    def together(self, *tasks: Callable[[], Found]) -> list[Found]:
        with ThreadPoolExecutor(len(tasks) or 1) as threads:
            return [item.result() for item in [threads.submit(task) for task in tasks]]

    def machines(self) -> list[Record]:
        """The machines in the slots."""
        found = self.on.world.azure.store.of_type(MACHINES)
        return [item for item in found if "/auto-runner-" in item.id.lower()]

    def left_in_slots(self) -> list[str]:
        """Everything in the slots beside what they were made with."""
        own = ("/Microsoft.Authorization/", "/userAssignedIdentities/")
        found = [item for item in self.on.world.azure.remaining() if "/resourceGroups/auto-runner-" in item]
        return [item for item in found if "/providers/" in item and not any(word in item for word in own)]

    def registration(self, slot: str) -> str:
        """The newest version of a slot's secret."""
        return held(self.on.world.azure, self.substrate.azure.vault.name, f"{slot}-registration")[-1].value

    def runner(self, label: str) -> Runner | None:
        """GitHub's record of a runner."""
        return next((item for item in self.on.world.github.world.runners.values() if item.name == label), None)

    def work(self) -> None:
        """Each machine takes its next step: it tells of its probe, then takes the registration that lies in its slot."""
        for machine in self.machines():
            tags = dict(machine.body.get("tags") or {})
            if "bootstage" not in tags:
                machine.notes["serial"] = f"{machine.name}: probed"
                self.tell(machine, "probed")
            elif self.registration(tags["slot"]) not in NO_CREDENTIAL and tags["bootstage"] == "probed":
                self.enrol(tags["label"], self.registration(tags["slot"]))
                self.tell(machine, "ready")

    def tell(self, machine: Record, stage_word: str, reason: str = "-") -> None:
        """Boot tags, as the machine writes them."""
        now = f"{self.on.world.clock.now:%Y-%m-%dT%H:%M:%SZ}"
        tags = {"bootstage": stage_word, "bootid": "b", "bootat": now, "bootreason": reason}
        body = {"operation": "Merge", "properties": {"tags": tags}}
        self.substrate.ask("PATCH", f"{machine.id}/providers/Microsoft.Resources/tags/default", body)

    def enrol(self, label: str, token: str) -> None:
        """What the agent does with a registration token."""
        with self.on.world.github.held() as world:
            made = enrol(world, token, REPOSITORY, label, ("self-hosted", label), "2.336.0", replace=True)
            connect(world, made.credential)


def run_of(run_id: int) -> Run:
    return Run(repository=REPOSITORY, workflow="KM CI Pipeline", run_number=1279, run_id=run_id, attempt=1)


def ask(run_id: int, slot: int = 1, **changes: Any) -> Request:
    """A request for one machine in Azure."""
    name = RunnerName(run=run_of(run_id), cloud=Cloud.AZURE, slot=slot)
    return Request(**{"name": name, "capability": Capability.NONE, "serves": Serves.RUN, **changes})


@contextmanager
def quarter(folder: Path) -> Iterator[Quarter]:
    """Deploys the stack of the runners and builds the launcher on it, as the identity of the launcher."""
    with stage(folder, ("kontain",), edits={"kontain": in_azure}) as on:
        on.up("kontain")
        runners = read(on.workspace.outputs("kontain")).runners
        assert runners
        assert runners.azure
        substrate = Substrate(on, runners.azure)
        build_image(substrate)
        on.world.clock.advance(PROPAGATION_SECONDS)
        headers = {"Authorization": "Bearer installation"}
        with (
            serve(on.world.azure) as endpoint,
            httpx.Client(base_url=on.world.github.url, headers=headers, trust_env=False) as http,
        ):
            yield _built(substrate, runners, endpoint.url, http, folder)


def _built(substrate: Substrate, runners: RunnersPart, url: str, http: httpx.Client, folder: Path) -> Quarter:
    on = substrate.on
    rehearsed = RehearsedClouds.model_validate({"resourceManager": url, "token": substrate.launcher})
    settings = from_file(on.workspace.project / "Pulumi.kontain.yaml", rehearsal=True)
    tags = TagSet(owner=settings.owner, system=settings.system, stack="kontain")
    objects, said = FileObjects(folder / "objects"), list[tuple[str, str]]()
    objects.folder.mkdir()

    def observe(about: str, sentence: str) -> None:
        said.append((about, sentence))

    azure = AzureRunners(
        clouds=Clouds(substrate.azure.subscription, rehearsed),
        part=substrate.azure,
        image_name=runners.image,
        tags=tags,
        objects=objects,
        observe=observe,
    )
    stacks = RunStacks(
        common=common_settings(settings), observe=observe, remove=azure.remove, environment=on.workspace.environment
    )

    def sleep(seconds: float) -> None:
        on.world.clock.advance(seconds)
        found.work()

    launcher = Launcher(
        rules=rules(runners, tags, (KEY,)),
        clouds={Cloud.AZURE: azure},
        github=GitHubActions(http=http, repository=REPOSITORY, now=lambda: on.world.clock.now),
        stacks=stacks,
        leases=EmbeddedLeases(objects, pools(runners), lambda: on.world.clock.now),
        objects=objects,
        pace=Pace(lambda: on.world.clock.now, sleep, POLL_SECONDS),
        limits=Limits(queue=timedelta(minutes=5)),
        observe=observe,
    )
    found = Quarter(substrate, runners, azure, stacks, launcher, objects, said)
    return found
