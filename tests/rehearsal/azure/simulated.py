"""A small simulated Azure for the tests: one region with room, one image, one provider."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from virtci.rehearsal.azure.arm import ResourceManager, Response, Scenario
from virtci.rehearsal.azure.catalogue import BY_KIND
from virtci.rehearsal.azure.provider import AzureNative
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError, Fault, FaultPlan, Journal

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"
OLD_PRINCIPAL = "00000000-0000-0000-0000-0000000000e1"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
IMAGE = f"{GROUP}/providers/Microsoft.Compute/galleries/images/images/runner/versions/1.0.0"
REGION = "westus"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"


@dataclass
class Cloud:
    """What a test talks to: the provider in front, Resource Manager behind."""

    clock: SimulatedClock
    journal: Journal
    manager: ResourceManager
    provider: AzureNative

    def create(self, kind: str, /, **inputs: Any) -> tuple[str, Values]:
        """Creates by a short type such as `network:VirtualNetwork`; the group and region are filled in."""
        return self.provider.create(f"azure-native:{kind}", self.complete(kind, inputs))

    def update(self, kind: str, resource_id: str, /, **inputs: Any) -> Values:
        return self.provider.update(f"azure-native:{kind}", resource_id, self.complete(kind, inputs), {})

    def delete(self, resource_id: str) -> None:
        self.provider.delete("azure-native:resources:ResourceGroup", resource_id, {})

    def problems(self, kind: str, /, **inputs: Any) -> dict[str, str]:
        """What the provider's check refuses, by property."""
        found = self.provider.check(f"azure-native:{kind}", self.complete(kind, inputs))
        return {item.property: item.reason for item in found}

    def complete(self, kind: str, inputs: Values) -> Values:
        row = BY_KIND[f"azure-native:{kind}"]
        given = {"resourceGroupName": "rg"} if "resourceGroupName" in row.parameters else {}
        field = row.request.fields.get("location")
        return given | ({"location": REGION} if field and not field.read_only else {}) | inputs

    def request(self, method: str, path: str, body: Values | None = None) -> Response:
        return self.manager.request(method, path, body)

    def get(self, path: str) -> Values:
        response = self.request("GET", path)
        assert response.status == 200, response.body
        return response.body or {}

    def exists(self, path: str) -> bool:
        return self.request("GET", path).status == 200

    def group(self, name: str = "rg") -> str:
        return self.create("resources:ResourceGroup", resourceGroupName=name)[0]

    def network(self, **more: Any) -> str:
        inputs = {
            "virtualNetworkName": "net",
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "a", "addressPrefix": "10.0.0.0/24"}],
        }
        return self.create("network:VirtualNetwork", **(inputs | more))[0]

    def interface(self, name: str = "nic", **more: Any) -> str:
        subnet = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/a"
        configuration = {"name": "ip", "subnet": {"id": subnet}} | more
        return self.create("network:NetworkInterface", networkInterfaceName=name, ipConfigurations=[configuration])[0]

    def identity(self, name: str = "identity") -> tuple[str, Values]:
        return self.create("managedidentity:UserAssignedIdentity", resourceName=name)

    def vault(self, name: str = "kv-test", **properties: Any) -> str:
        fixed = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}}
        return self.create("keyvault:Vault", vaultName=name, properties=fixed | properties)[0]

    def machine_inputs(self, name: str = "vm", nic: str = "", **more: Any) -> Values:
        interface = nic or f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"
        return {
            "vmName": name,
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "networkProfile": {"networkInterfaces": [{"id": interface, "deleteOption": "Delete"}]},
            "osProfile": {"computerName": name, "adminUsername": "azureuser", "customData": "aGVsbG8="},
            "storageProfile": {
                "imageReference": {"id": IMAGE},
                "osDisk": {"createOption": "FromImage", "deleteOption": "Delete", "name": f"{name}-os"},
            },
        } | more

    def machine(self, name: str = "vm", **more: Any) -> tuple[str, Values]:
        """A machine with everything below it."""
        if not self.exists(GROUP):
            self.group()
            self.network()
        nic = self.interface(f"{name}-nic")
        return self.create("compute:VirtualMachine", **self.machine_inputs(name, nic, **more))

    def pool(self, name: str = "system", **more: Any) -> Values:
        return {"name": name, "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5"} | more

    def cluster_inputs(self, **more: Any) -> Values:
        return {
            "resourceName": "aks",
            "dnsPrefix": "aks",
            "identity": {"type": "SystemAssigned"},
            "agentPoolProfiles": [self.pool()],
        } | more

    def cluster(self, **more: Any) -> tuple[str, Values]:
        return self.create("containerservice:ManagedCluster", **self.cluster_inputs(**more))


def build(scenario: Scenario | None = None, *faults: Fault) -> Cloud:
    """A cloud of its own for tests that need another scenario or a fault plan."""
    clock = SimulatedClock()
    journal = Journal(clock, FaultPlan(faults=faults))
    manager = ResourceManager(clock, journal, scenario or default_scenario())
    return Cloud(clock, journal, manager, AzureNative(manager))


def default_scenario(**more: Any) -> Scenario:
    """Room for 16 vCPUs, at most 8 of them Dsv5."""
    fixed: Values = {
        "limits": {REGION: {"cores": 16, "standardDSv5Family": 8, "lowPriorityCores": 4}},
        "images": {IMAGE},
        "principals": {OLD_PRINCIPAL},
    }
    return Scenario(**(fixed | more))


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for another thread in real time, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the other thread never got there"
        time.sleep(0.0005)


class Refusal:
    """Collects the refusal of a block: `with refused() as refusal:`."""

    error: CloudError

    def __enter__(self) -> "Refusal":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        assert isinstance(error, CloudError), f"nothing was refused: {error!r}"
        self.error = error
        return True

    @property
    def said(self) -> tuple[int, str]:
        return self.error.status, self.error.code


def refused() -> Refusal:
    return Refusal()
