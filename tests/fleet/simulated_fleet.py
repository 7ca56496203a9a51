"""Two environments of a simulated Azure, one on a machine and one on a cluster, as the commands of day two see them.

The commands act as the identity of the environment's workflows, with the roles that the program gives it. Whoever plays the
machine does what its boot scripts do: tags, and a kubeconfig whose token is bound to a Secret of its own.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.keyvault.secrets import SecretClient

from components.ci_environment import NOT_PUBLISHED
from components.roles import POWER_ACTIONS
from tests.outputs.sample import environment, machine
from tests.rehearsal.azure.simulated import SUBSCRIPTION, TENANT, Cloud, build, default_scenario
from virtci.core.names import assignment_id
from virtci.core.roles import role_definition_id
from virtci.fleet.clouds import Clouds, RehearsedClouds, kubernetes
from virtci.fleet.kubeconfigs import with_token
from virtci.fleet.waiting import Pace
from virtci.outputs.check import read
from virtci.outputs.fleet import Fleet, Target, fleet_of
from virtci.rehearsal.azure.secrets import Vault, serve_secrets
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.kubernetes.server import ControlPlane

VAULT = "kubevirtkv"
MACHINE = "dev-vm"
CLUSTER = "aks"
SIZE = "Standard_D8s_v5"
OWNER = "00000000-0000-0000-0000-0000000000f1"
ENTRA = """apiVersion: v1
kind: Config
clusters: [{name: aks, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: entra, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin}}}]
contexts: [{name: aks, context: {cluster: aks, user: entra}}]
current-context: aks
"""


@dataclass
class SimulatedFleet:
    """The clouds, the files that a command reads, and the hand that plays the machine."""

    cloud: Cloud
    clouds: Clouds
    owner: SecretClient
    folder: Path
    vault: Vault
    plane: ControlPlane | None = None
    machine_name: str = MACHINE
    said: list[str] = field(default_factory=list)
    naps: list[Callable[[], None]] = field(default_factory=list)
    """What happens in the cloud while a command waits: the next one at each nap, the last one for ever."""
    slept: float = 0.0

    @property
    def fleet(self) -> Fleet:
        return fleet_of(read(json.loads(file.read_text())) for file in self.files)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.outputs.json"))

    def target(self, name: str) -> Target:
        return self.fleet.target(name)

    @property
    def pace(self) -> Pace:
        """Waiting takes no real time: the clock of the command moves on by what it sleeps."""
        return Pace(lambda: datetime.now(UTC) + timedelta(seconds=self.slept), self.nap, 60)

    def nap(self, seconds: float) -> None:
        self.slept += seconds
        if self.naps:
            (self.naps.pop(0) if len(self.naps) > 1 else self.naps[0])()

    def tell(self, stage: str, boot: str, hypervisor: str = "mshv", reason: str = "-", at: str = "08:10:00") -> None:
        """Boot tags, as the machine writes them."""
        tags = {"bootstage": stage, "bootid": boot, "bootat": f"2026-01-05T{at}Z", "boothypervisor": hypervisor}
        body = {"operation": "Merge", "properties": {"tags": {**tags, "bootreason": reason}}}
        answer = self.cloud.request("PATCH", f"{self.machine.id}/providers/Microsoft.Resources/tags/default", body)
        assert answer.status == 200, answer.body

    def publish(self, text: str = "", good_for: timedelta = timedelta(days=7)) -> str:
        """A new kubeconfig in the vault, with the tags of the declared secret; returns its text."""
        found = text or self.bound_kubeconfig()
        expires = datetime.now(UTC) + good_for
        self.owner.set_secret("dev-kubeconfig", found, expires_on=expires, content_type="application/yaml")
        return found

    def bound_kubeconfig(self) -> str:
        """A kubeconfig whose token is bound to a Secret, so that deleting the Secret revokes it."""
        assert self.plane is not None
        from kubernetes.client import CoreV1Api

        name = f"deployer-{uuid.uuid4().hex[:8]}"
        with kubernetes(self.plane.kubeconfig) as api:
            core = CoreV1Api(api)
            secret = core.create_namespaced_secret("virt-ci", {"metadata": {"name": name}})
            bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": secret.metadata.uid}
            answer = core.create_namespaced_service_account_token(
                "deployer", "virt-ci", {"spec": {"audiences": [], "expirationSeconds": 604800, "boundObjectRef": bound}}
            )
        import yaml

        return with_token(yaml.safe_load(self.plane.kubeconfig), "deployer", answer.status.token)

    def bound_secrets(self) -> list[str]:
        assert self.plane is not None
        from kubernetes.client import CoreV1Api

        with kubernetes(self.plane.kubeconfig) as api:
            names = [item.metadata.name for item in CoreV1Api(api).list_namespaced_secret("virt-ci").items]
        return [name for name in names if name.startswith("deployer-")]

    def revoke(self, *names: str) -> None:
        assert self.plane is not None
        from kubernetes.client import CoreV1Api

        with kubernetes(self.plane.kubeconfig) as api:
            for name in names:
                CoreV1Api(api).delete_namespaced_secret(name, "virt-ci")

    def rotation_request(self) -> str:
        assert self.plane is not None
        from kubernetes.client import CoreV1Api

        with kubernetes(self.plane.kubeconfig) as api:
            data = CoreV1Api(api).read_namespaced_config_map("rotation", "virt-ci").data
        return str(data["requestedAt"])

    @property
    def machine(self) -> Record:
        machines = self.cloud.manager.store.of_type("Microsoft.Compute/virtualMachines")
        return next(item for item in machines if item.name == self.machine_name)

    def power_off(self) -> None:
        self.cloud.request("POST", f"{self.machine.id}/deallocate")


@contextmanager
def simulated_fleet(folder: Path, plane: ControlPlane | None = None) -> Iterator[SimulatedFleet]:
    """Builds the clouds and serves them; `VIRTCI_CLOUDS` would be `folder/clouds.json`."""
    scenario = default_scenario(limits={"westus": {"cores": 64, "standardDSv5Family": 32, "standardDDSv5Family": 32}})
    cloud = build(scenario)
    principal = declare(cloud)
    vault = Vault(cloud.manager, VAULT)
    with serve(cloud.manager) as azure, serve_secrets(vault, folder) as secrets:
        content = {
            "resourceManager": azure.url,
            "vaults": {VAULT: secrets.url},
            "certificate": str(secrets.certificate),
            "token": principal,
        }
        (folder / "clouds.json").write_text(json.dumps(content))
        rehearsed = RehearsedClouds.model_validate(content)
        subscription = SUBSCRIPTION.rsplit("/", 1)[-1]
        owner = Clouds(subscription, rehearsed.model_copy(update={"token": OWNER})).secrets(VAULT)
        write_outputs(folder)
        yield SimulatedFleet(cloud, Clouds(subscription, rehearsed), owner, folder, vault, plane)


def declare(cloud: Cloud) -> str:
    """What the stacks would have made; returns the principal of the environments' workflows."""
    made, _ = cloud.machine(MACHINE, hardwareProfile={"vmSize": SIZE}, tags={"lifetime": "working-hours"})
    pools = [cloud.pool("agentpool"), cloud.pool("workers", mode="User", vmSize=SIZE, count=1)]
    cluster, _ = cloud.cluster(
        agentPoolProfiles=pools, tags={"lifetime": "on-demand"}, sku={"name": "Base", "tier": "Free"}
    )
    vault = cloud.vault(VAULT, enableRbacAuthorization=True)
    for name, value in (("dev-kubeconfig", NOT_PUBLISHED), ("test-kvm-kubeconfig", ENTRA)):
        cloud.create("keyvault:Secret", vaultName=VAULT, secretName=name, properties={"value": value})
    _, identity = cloud.identity("virt-ci-dev")
    principal = str(identity["principalId"])
    power = role(cloud, "power", list(POWER_ACTIONS))
    reader = built_in(cloud, "Key Vault Secrets User")
    for scope in (made, cluster):
        give(cloud, principal, power, scope)
    for name in ("dev-kubeconfig", "test-kvm-kubeconfig"):
        give(cloud, principal, reader, f"{vault}/secrets/{name}")
    own_secrets(cloud, vault)
    return principal


def own_secrets(cloud: Cloud, vault: str) -> None:
    """Lets `OWNER` do everything with the secrets of a vault: who plays the machine, and who looks after it."""
    cloud.manager.store.principals[OWNER] = cloud.clock.seconds
    give(cloud, OWNER, role(cloud, "owner", [], ["Microsoft.KeyVault/vaults/secrets/*"]), vault)
    cloud.clock.advance(3600)


def built_in(cloud: Cloud, name: str) -> str:
    """The id of a built-in role."""
    return role_definition_id(cloud.manager.scenario.subscription, name)


def role(cloud: Cloud, name: str, actions: list[str], data_actions: list[str] | None = None) -> str:
    """A custom role."""
    subscription = f"/subscriptions/{cloud.manager.scenario.subscription}"
    made, _ = cloud.create(
        "authorization:RoleDefinition",
        roleDefinitionId=assignment_id(name),
        roleName=name,
        permissions=[{"actions": actions, "dataActions": data_actions or []}],
        scope=subscription,
        assignableScopes=[subscription],
    )
    return made


def give(cloud: Cloud, principal: str, role_id: str, scope: str) -> None:
    """An assignment."""
    cloud.create(
        "authorization:RoleAssignment",
        roleAssignmentName=assignment_id(principal, role_id, scope),
        principalId=principal,
        principalType="ServicePrincipal",
        roleDefinitionId=role_id,
        scope=scope,
    )


def write_outputs(folder: Path) -> None:
    """The outputs of a hub and of one stack with both environments."""
    group = f"{SUBSCRIPTION}/resourceGroups/rg"
    common: dict[str, Any] = {"contractVersion": 1, "region": "westus"}
    vault = {
        "name": VAULT,
        "resourceGroup": "rg",
        "resourceId": f"{group}/providers/Microsoft.KeyVault/vaults/{VAULT}",
        "uri": f"https://{VAULT}.vault.azure.net/",
    }
    cluster = {
        "name": CLUSTER,
        "environment": "test-kvm",
        "resourceGroup": "rg",
        "resourceId": f"{group}/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}",
        "privateFqdn": "aks.privatelink.westus.azmk8s.io",
    }
    stack = common | {
        "stack": "test",
        "machines": [machine(MACHINE, "rg", "10.60.1.4", SIZE, "working-hours", "dev")],
        "clusters": [cluster],
        "environments": {
            "dev": environment("dev", MACHINE, "rg", "mshv", "HyperVL1VH", "new"),
            "test-kvm": environment("test-kvm", CLUSTER, "rg", "kvm", "off", "existing"),
        },
    }
    (folder / "hub.outputs.json").write_text(json.dumps(common | {"stack": "hub", "vault": vault}))
    (folder / "test.outputs.json").write_text(json.dumps(stack))


__all__ = ["TENANT", "SimulatedFleet", "simulated_fleet"]
