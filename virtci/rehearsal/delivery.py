"""The KubeVirt pipeline on what a rehearsal deployed: its outputs, variables, identities, clusters and engine state.

Everything is parked before the pipeline begins. A machine that it wakes boots in the sandbox, and publishes its
kubeconfig again; the cluster behind it was there all along.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from virtci.core.environments import ROWS, Environment
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.outputs.check import read
from virtci.outputs.contract import MachinePart
from virtci.outputs.fleet import Fleet, fleet_of
from virtci.places import ENGINE
from virtci.rehearsal.azure.arm import ResourceManager
from virtci.rehearsal.azure.secrets import Vault, serve_secrets
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.boot.machines import ROLE_SECONDS, MachineBoot
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.engine import UNUSABLE, Workspace
from virtci.rehearsal.environments import Preparation
from virtci.rehearsal.pipeline.act import unavailable
from virtci.rehearsal.pipeline.checkout import checkout_of_this_project, own_programs
from virtci.rehearsal.pipeline.rehearse import PipelineRun, Stage, rehearse_pipeline
from virtci.rehearsal.pipeline.virtual_machines import define_virtual_machines
from virtci.rehearsal.private_network import private_network
from virtci.rehearsal.world import World
from virtci.settings.models import RUNNERS_SUBNET

HTTPS = 443
KUBERNETES = 6443
LOCAL_REGISTRY = "127.0.0.1:"
PROGRAMS = Path(__file__).parent / "pipeline" / "deployed"
"""What takes the place of a program in the jobs: the engine, told what to attach to, and the login to managed clusters."""
MACHINES = "Microsoft.Compute/virtualMachines"


@dataclass
class Delivery:
    """What a pipeline runs on, and the boots that it caused."""

    stage: Stage
    boots: list[MachineBoot] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """A pipeline that was run, or why none was."""

    run: PipelineRun | None = None
    boots: tuple[MachineBoot, ...] = ()
    seconds: float = 0.0
    skipped: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the pipeline was green; one that was skipped is not red."""
        return self.run is None or self.run.workflow.result == "success"


def deliver(world: World, workspace: Workspace, results: Sequence[StackResult]) -> Delivered:
    """Runs the pipeline once on the deployed fleet, or says why that is not possible here."""
    deployed = {result.settings.kubevirt.environment for result in results if result.settings.kubevirt}
    reason = unavailable() or next((item.before.not_booted for item in results if item.before), "")
    if deployed != set(Environment):
        reason = "it needs all four environments; rehearse without --stack"
    if reason:
        return Delivered(skipped=reason)
    started = time.monotonic()
    with delivery(world, workspace, results) as served:
        run = rehearse_pipeline(workspace.folder / "pipeline" / "run", served.stage)
    return Delivered(run=run, boots=tuple(served.boots), seconds=time.monotonic() - started)


@contextmanager
def delivery(world: World, workspace: Workspace, results: Sequence[StackResult]) -> Iterator[Delivery]:
    """Serves the deployed fleet to jobs, parked, until the block ends."""
    fleet = [result for result in results if not result.settings.kubevirt]
    hub = next(result for result in fleet if result.settings.hub)
    known = fleet_of(read(result.outputs) for result in results)
    vault = known.vault.name
    subnet = str(hub.outputs["network"]["subnetResourceIds"][RUNNERS_SUBNET])
    plane_of_jobs = Vault(world.azure, vault, subnet=subnet, seconds_per_refusal=ROLE_SECONDS)
    folder = workspace.folder / "pipeline"
    folder.mkdir()
    for cluster in world.clusters.values():
        with kubernetes(cluster.kubeconfig) as client:
            define_virtual_machines(ClusterApi(client))
    with (
        serve(world.azure) as azure,
        serve_secrets(plane_of_jobs, folder) as secrets,
        private_network(addresses(world, results, known)) as network,
    ):
        clouds = {
            "resourceManager": azure.url,
            "vaults": {vault: secrets.url},
            "certificate": str(secrets.certificate),
        }
        jobs = {name: value for name, value in workspace.environment.items() if name != "PATH"}
        stage = Stage(
            repository=hub.settings.repository,
            infrastructure=hub.settings.hub.infrastructure_repository if hub.settings.hub else "",
            outputs=[result.outputs for result in fleet],
            variables=variables(world, fleet, workspace),
            environment={**jobs, **network, "GITHUB_API_URL": world.github_url},
            logins=logins(known, clouds, folder),
            project=project(world, workspace, results, folder / "virt-ci"),
        )
        found = Delivery(stage)
        with playing_machines(world, results, found):
            park(world.azure)
            yield found


def addresses(world: World, results: Sequence[StackResult], known: Fleet) -> dict[str, int]:
    """The private address and port of every cluster, and the port that it has here."""
    found = {}
    for result in results:
        if kubevirt := result.settings.kubevirt:
            compute = known.target(kubevirt.environment).compute
            if isinstance(compute, MachinePart):
                place = f"{compute.private_address}:{KUBERNETES}"
            else:
                place = f"{compute.private_fqdn}:{HTTPS}"
            found[place] = int(world.clusters[result.name].url.rpartition(":")[2])
    return found


def variables(world: World, fleet: Sequence[StackResult], workspace: Workspace) -> dict[str, dict[str, str]]:
    """The variables of each GitHub Environment, as the program set them, and the one that an operator sets."""
    found = {}
    with httpx.Client(base_url=world.github_url, headers={"Authorization": f"Bearer {UNUSABLE}"}) as github:
        for result in fleet:
            for environment in result.settings.environments:
                path = f"/repos/{result.settings.repository}/environments/{environment}/variables"
                listed = github.get(path, params={"per_page": 30}).raise_for_status().json()["variables"]
                found[environment.value] = {item["name"]: item["value"] for item in listed}
                found[environment.value]["PULUMI_BACKEND_URL"] = workspace.environment["PULUMI_BACKEND_URL"]
    return found


def logins(known: Fleet, clouds: Mapping[str, object], folder: Path) -> dict[str, Path]:
    """What each identity sees of the clouds, by its client id."""
    found = {}
    for target in known.targets:
        identity = target.part.identity
        found[identity.client_id] = folder / f"clouds-{target.environment}.json"
        found[identity.client_id].write_text(json.dumps({**clouds, "token": identity.principal_id}))
    return found


def project(world: World, workspace: Workspace, results: Sequence[StackResult], folder: Path) -> Path:
    """A checkout with the stack files of the workspace, whose engine attaches to the cluster of the stack it is asked for."""
    checkout_of_this_project(folder)
    for source in workspace.project.glob("Pulumi.*.yaml"):
        (folder / source.name).write_bytes(source.read_bytes())
    for stack in world.clusters:
        allow_registry(folder / "policies" / "config" / f"{stack}.json")
    programs = own_programs(folder)
    for program in PROGRAMS.iterdir():
        (programs / program.name).unlink(missing_ok=True)
        (programs / program.name).write_bytes(program.read_bytes())
        (programs / program.name).chmod(0o755)
    for stack, environment in world.own_environments.items():
        (programs / f"attach-{stack}").write_text(environment["PULUMI_DEBUG_PROVIDERS"])
    (programs / "engine").symlink_to((ENGINE / "bin" / "pulumi").resolve())
    for result in results:
        kubevirt = result.settings.kubevirt
        if kubevirt and ROWS[kubevirt.environment].compute == "cluster":
            (programs / "managed-cluster").symlink_to(world.clusters[result.name].folder)
    return folder


def allow_registry(file: Path) -> None:
    """The pipeline pushes to a registry of this machine, where an operator would name his own."""
    configured = json.loads(file.read_text())
    configured["kubernetes-images"]["registries"].append(LOCAL_REGISTRY)
    file.write_text(json.dumps(configured))


@contextmanager
def playing_machines(world: World, results: Sequence[StackResult], found: Delivery) -> Iterator[None]:
    """Machines that are started boot in the sandbox, until the block ends."""
    outputs = [result.outputs for result in results]
    stacks = {result.name: result.settings for result in results}
    machines = {}
    for result in results:
        kubevirt = result.settings.kubevirt
        if kubevirt and ROWS[kubevirt.environment].compute == "machine":
            preparation = Preparation(world, result.name, kubevirt, stacks, outputs)
            machines[preparation.target.compute.resource_id.lower()] = preparation
    running: list[threading.Thread] = []

    def boot(preparation: Preparation) -> None:
        found.boots.append(preparation.boot())

    def booted(record: Record) -> None:
        if preparation := machines.get(record.id.lower()):
            running.append(threading.Thread(target=boot, args=(preparation,)))
            running[-1].start()

    world.azure.store.booted = booted
    try:
        yield
    finally:
        world.azure.store.booted = None
        for thread in running:
            thread.join()


def park(azure: ResourceManager) -> None:
    """As the schedules of the evening do: no environment is left running."""
    for record in azure.store.of_type(MACHINES):
        if record.body.get("tags", {}).get("environment") in ROWS:
            azure.request("POST", f"{record.id}/deallocate")
    for record in azure.store.of_type("Microsoft.ContainerService/managedClusters"):
        azure.request("POST", f"{record.id}/stop")
