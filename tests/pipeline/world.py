"""Four environments as the pipeline meets them: a simulated Azure with their machines, a vault, and a real cluster for each.

Whoever plays the machines does what their boot does: a machine that was started tells of a new boot a moment later.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from components.roles import POWER_ACTIONS
from tests.fleet.simulated_fleet import VAULT, built_in, give, role
from tests.outputs.sample import environment, machine
from tests.pipeline.engine_stand_in import DEPLOYED
from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, TENANT, Cloud, build, default_scenario
from virtci.core.cluster_objects import LAST_TEST, LEASE, NAMESPACE, READINESS, RECORD
from virtci.core.environments import ROWS, Environment, test_focus
from virtci.core.lifetimes import Lifetime
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.kubeconfigs import with_token
from virtci.rehearsal.azure.secrets import Vault, serve_secrets
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.kubernetes.scenario import cluster_of
from virtci.rehearsal.kubernetes.server import ControlPlane, clusters
from virtci.rehearsal.pipeline.checkout import checkout_of_this_project, own_programs
from virtci.rehearsal.pipeline.rehearse import Stage
from virtci.rehearsal.pipeline.virtual_machines import STAGES, define_virtual_machines

REPOSITORY, INFRASTRUCTURE = "octo-lab/kubevirt", "octo-lab/virt-ci"
REASON = "/dev/mshv is not supported on these machines yet"
SIZE = "Standard_D8s_v5"
COMPUTE = {item: f"{item}-vm" if ROWS[item].compute == "machine" else "aks" for item in Environment}
CLIENTS = {item: f"00000000-0000-0000-0000-0000000000d{number}" for number, item in enumerate(Environment)}
LEFT_BY_RUNS = (
    ("v1", "ConfigMap", LAST_TEST),
    ("v1", "ConfigMap", DEPLOYED),
    ("v1", "ConfigMap", READINESS),
    ("coordination.k8s.io/v1", "Lease", LEASE),
)
STAND_IN = """#!/bin/sh
exec "$REHEARSAL_PYTHON" -m tests.pipeline.engine_stand_in "$@"
"""


@dataclass
class World:
    """The clouds and the clusters, and what a person could see in them."""

    cloud: Cloud
    planes: Mapping[Environment, ControlPlane]
    stage: Stage
    boots: dict[Environment, int] = field(default_factory=dict)

    def power(self, item: Environment) -> str:
        """Whether there is hardware behind an environment."""
        kind = "compute/virtualMachines" if ROWS[item].compute == "machine" else "containerservice/managedClusters"
        found = next(
            record
            for record in self.cloud.manager.store.of_type(f"Microsoft.{kind}")
            if record.id.endswith(f"/{COMPUTE[item]}")
        )
        if ROWS[item].compute == "cluster":
            return str(found.properties["powerState"]["code"]).lower()
        return str(found.notes.get("power", "running"))

    def park(self, item: Environment) -> None:
        """As the schedule of the evening does."""
        action = "stop" if ROWS[item].compute == "cluster" else "deallocate"
        self.cloud.request("POST", f"{self._id(item)}/{action}")
        self.cloud.clock.advance(600)

    def holder(self, item: Environment) -> str:
        """Who has the lease of an environment."""
        found = self._object(item, "coordination.k8s.io/v1", "Lease", LEASE)
        return str(found["spec"].get("holderIdentity") or "") if found else ""

    def last_test(self, item: Environment) -> dict[str, Any]:
        """The record in the cluster."""
        found = self._object(item, "v1", "ConfigMap", LAST_TEST)
        return dict(json.loads(found["data"][RECORD])) if found else {}

    def deployed(self, item: Environment) -> list[str]:
        """The digests of the releases that the cluster got."""
        found = self._object(item, "v1", "ConfigMap", DEPLOYED)
        return list(found["data"]["digests"].split()) if found else []

    def machines(self, item: Environment) -> list[str]:
        """The virtual machines that are left in the cluster."""
        with kubernetes(self.planes[item].kubeconfig) as client:
            found = ClusterApi(client).items("kubevirt.io/v1", "VirtualMachine", NAMESPACE)
        return [machine["metadata"]["name"] for machine in found]

    def reset(self) -> None:
        """Everything on, nothing left of an earlier run."""
        for item, plane in self.planes.items():
            with kubernetes(plane.kubeconfig) as client:
                api = ClusterApi(client)
                for version, kind, name in LEFT_BY_RUNS:
                    api.delete(
                        {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}
                    )
            if self.power(item) != "running":
                self.cloud.request("POST", f"{self._id(item)}/start")
        self.cloud.clock.advance(600)

    def tell(self, item: Environment) -> None:
        """The machine says that its boot came to an end."""
        self.boots[item] = self.boots.get(item, 0) + 1
        tags = {
            "bootstage": "ready", "bootid": f"boot-{self.boots[item]}", "bootat": "2026-01-05T08:10:00Z",
            "boothypervisor": ROWS[item].hypervisor.value, "bootreason": "-",
        }  # fmt: skip
        body = {"operation": "Merge", "properties": {"tags": tags}}
        answer = self.cloud.request("PATCH", f"{self._id(item)}/providers/Microsoft.Resources/tags/default", body)
        assert answer.status == 200, answer.body

    def _object(self, item: Environment, version: str, kind: str, name: str) -> dict[str, Any] | None:
        with kubernetes(self.planes[item].kubeconfig) as client:
            return ClusterApi(client).get(version, kind, NAMESPACE, name)

    def _id(self, item: Environment) -> str:
        kind = "Compute/virtualMachines" if ROWS[item].compute == "machine" else "ContainerService/managedClusters"
        return f"{GROUP}/providers/Microsoft.{kind}/{COMPUTE[item]}"


@contextmanager
def pipeline_world(folder: Path) -> Iterator[World]:
    """Builds everything and serves it."""
    names = {item.value: item for item in Environment}
    wanted = [
        replace(cluster_of(item, item.value), stages=cluster_of(item, item.value).stages + f"\n---\n{STAGES}")
        for item in Environment
    ]
    limits = {"westus": {"cores": 64, "standardDSv5Family": 48, "standardDDSv5Family": 16}}
    cloud = build(default_scenario(limits=limits))
    with (
        clusters(wanted, folder / "clusters") as planes,
        serve(cloud.manager) as azure,
        serve_secrets(Vault(cloud.manager, VAULT), folder) as secrets,
    ):
        found = {names[name]: plane for name, plane in planes.items()}
        principals = declare(cloud, {item: published(plane) for item, plane in found.items()})
        logins = {}
        for item, principal in principals.items():
            content = {
                "resourceManager": azure.url, "vaults": {VAULT: secrets.url}, "certificate": str(secrets.certificate), "token": principal,
            }  # fmt: skip
            logins[CLIENTS[item]] = folder / f"clouds-{item}.json"
            logins[CLIENTS[item]].write_text(json.dumps(content))
        world = World(cloud, found, stage(folder, logins))
        with playing_machines(world):
            yield world


def stage(folder: Path, logins: Mapping[str, Path]) -> Stage:
    """The repository with its variables, and a checkout of this project with the engine's stand-in."""
    project = checkout_of_this_project(folder / "virt-ci")
    engine = own_programs(project) / "pulumi"
    engine.unlink()
    engine.write_text(STAND_IN)
    engine.chmod(0o755)
    return Stage(
        repository=REPOSITORY,
        infrastructure=INFRASTRUCTURE,
        outputs=outputs(),
        variables={item.value: variables(item) for item in Environment},
        logins=logins,
        project=project,
    )


def outputs() -> list[dict[str, Any]]:
    """The outputs of `hub`, and of the environments as if one stack declared them."""
    common = {"contractVersion": 1, "region": "westus"}
    vault = {
        "name": VAULT, "resourceGroup": "rg", "resourceId": f"{GROUP}/providers/Microsoft.KeyVault/vaults/{VAULT}",
        "uri": f"https://{VAULT}.vault.azure.net/",
    }  # fmt: skip
    declared = {}
    machines = []
    for item, row in ROWS.items():
        gate = "HyperVL1VH" if row.gate_allowed else "off"
        off = {"enabled": False, "reason": REASON} if item is Environment.TEST_MSHV else {}
        tests = {"focus": test_focus(item), **off}
        declared[item.value] = environment(item, COMPUTE[item], "rg", row.hypervisor, gate, row.scope, **tests)
        if row.compute == "machine":
            machines.append(machine(COMPUTE[item], "rg", "10.60.1.4", SIZE, Lifetime.ON_DEMAND, item))
    cluster = {
        "name": "aks", "environment": "test-kvm", "resourceGroup": "rg",
        "resourceId": f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks", "privateFqdn": "aks.example",
    }  # fmt: skip
    hub = {**common, "stack": "hub", "vault": vault, "runnerLabels": ["self-hosted", "linux", "x64", "kubevirt-build"]}
    return [hub, {**common, "stack": "test", "machines": machines, "clusters": [cluster], "environments": declared}]


def variables(item: Environment) -> dict[str, str]:
    """The variables of a GitHub Environment, as the program sets them."""
    found = {
        "AZURE_CLIENT_ID": CLIENTS[item],
        "AZURE_TENANT_ID": TENANT,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION.rsplit("/", 1)[-1],
        "PULUMI_BACKEND_URL": "file:///nowhere",
        "TESTS_ENABLED": "true",
    }
    if ROWS[item].gate_allowed:
        found["FEATURE_GATES"] = "HyperVL1VH"
    if item is Environment.TEST_MSHV:
        found |= {"TESTS_ENABLED": "false", "TESTS_DISABLED_REASON": REASON}
    return found


def declare(cloud: Cloud, kubeconfigs: Mapping[Environment, str]) -> dict[Environment, str]:
    """What the stacks would have made; returns the principal of each environment's workflows."""
    scopes = {}
    for item, row in ROWS.items():
        if row.compute == "machine":
            scopes[item], _ = cloud.machine(COMPUTE[item], hardwareProfile={"vmSize": SIZE})
    pools = [cloud.pool("agentpool"), cloud.pool("workers", mode="User", vmSize=SIZE, count=1)]
    scopes[Environment.TEST_KVM], _ = cloud.cluster(agentPoolProfiles=pools, sku={"name": "Base", "tier": "Free"})
    cloud.vault(VAULT, enableRbacAuthorization=True)
    power = role(cloud, "power", list(POWER_ACTIONS))
    reader = built_in(cloud, "Key Vault Secrets User")
    principals = {}
    for item, text in kubeconfigs.items():
        cloud.create("keyvault:Secret", vaultName=VAULT, secretName=f"{item}-kubeconfig", properties={"value": text})
        _, identity = cloud.identity(f"virt-ci-{item}")
        principals[item] = str(identity["principalId"])
        give(cloud, principals[item], power, scopes[item])
        give(
            cloud,
            principals[item],
            reader,
            f"{GROUP}/providers/Microsoft.KeyVault/vaults/{VAULT}/secrets/{item}-kubeconfig",
        )
    cloud.clock.advance(3600)
    return principals


def published(plane: ControlPlane) -> str:
    """The kubeconfig that the machine of a cluster publishes: of an account of its own."""
    account = {"name": "deployer", "namespace": NAMESPACE}
    with kubernetes(plane.kubeconfig) as client:
        api = ClusterApi(client)
        define_virtual_machines(api)
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "machine")
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, "machine")
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "virt-ci-deployer"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **account}],
        }
        api.apply(binding, "machine")
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/deployer/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 604800},
        }
        token = api.request("POST", path, body=request)["status"]["token"]
    return with_token(yaml.safe_load(plane.kubeconfig), "deployer", token)


@contextmanager
def playing_machines(world: World) -> Iterator[None]:
    """Machines that were started tell of their boot, until the block ends."""
    over = threading.Event()
    machines = [item for item, row in ROWS.items() if row.compute == "machine"]
    seen = {item: world.power(item) for item in machines}
    for item in machines:
        world.tell(item)

    def play() -> None:
        while not over.wait(0.1):
            for item in machines:
                before, seen[item] = seen[item], world.power(item)
                if before != "running" and seen[item] == "running":
                    world.tell(item)

    player = threading.Thread(target=play, daemon=True)
    player.start()
    try:
        yield
    finally:
        over.set()
        player.join()
