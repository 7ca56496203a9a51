"""The provider behaves as the real azure-native provider does."""

import pytest
from pulumi.runtime.rpc import UNKNOWN

from tests.rehearsal.azure.simulated import COMPUTE, GROUP, TENANT, Cloud, build, default_scenario, refused
from virtci.rehearsal.azure.catalogue import warm_up
from virtci.rehearsal.bridge import Change, HalfMadeError
from virtci.rehearsal.journal import Fault

VM = "azure-native:compute:VirtualMachine"


def test_ids_keep_the_callers_spelling_and_are_found_in_any(ready: Cloud) -> None:
    made, outputs = ready.create("managedidentity:UserAssignedIdentity", resourceName="MyIdentity")
    assert made.endswith("/userAssignedIdentities/MyIdentity")
    assert outputs["name"] == "MyIdentity"
    assert ready.get(made.upper().replace("SUBSCRIPTIONS", "subscriptions"))["id"] == made


def test_a_resource_that_exists_cannot_be_created(ready: Cloud) -> None:
    with refused() as refusal:
        ready.group()
    assert refusal.error.message == f"cannot create already existing resource '{GROUP}'"


def test_deleting_what_is_gone_is_a_success(cloud: Cloud) -> None:
    cloud.delete(GROUP)
    cloud.delete(f"{COMPUTE}/virtualMachines/never-there")


def test_reading_what_is_gone_answers_nothing(cloud: Cloud) -> None:
    assert cloud.provider.read(VM, f"{COMPUTE}/virtualMachines/vm", {}, {}) is None


def test_an_update_changes_the_resource_and_keeps_what_the_service_made(ready: Cloud) -> None:
    made, before = ready.identity()
    after = ready.update("managedidentity:UserAssignedIdentity", made, resourceName="identity", tags={"a": "b"})
    assert after["tags"] == {"a": "b"}
    assert after["principalId"] == before["principalId"]


def test_a_resource_made_again_is_another_one(ready: Cloud) -> None:
    made, before = ready.identity()
    ready.delete(made)
    assert ready.identity()[1]["principalId"] != before["principalId"]


def test_the_default_location_of_the_provider_is_used(cloud: Cloud) -> None:
    cloud.provider.configure({"location": "eastus"})
    _, outputs = cloud.provider.create("azure-native:resources:ResourceGroup", {"resourceGroupName": "rg"})
    assert outputs["location"] == "eastus"


def test_an_unknown_type_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.provider.check("azure-native:sql:Server", {})
    assert refusal.said == (400, "UnknownResourceType")


def test_the_models_can_be_loaded_ahead() -> None:
    warm_up()


def test_in_a_preview_of_a_create_only_the_inputs_are_known(cloud: Cloud) -> None:
    outputs = cloud.provider.preview(VM, cloud.complete("compute:VirtualMachine", cloud.machine_inputs()), None)
    assert outputs["hardwareProfile"]["vmSize"] == "Standard_D2s_v5"
    assert outputs["osProfile"]["computerName"] == "vm"
    assert {outputs[name] for name in ("name", "vmId", "provisioningState")} == {UNKNOWN}


def test_inside_a_known_object_the_rest_is_unknown(cloud: Cloud) -> None:
    inputs = {"subnets": [{"name": "a"}]}
    outputs = cloud.provider.preview("azure-native:network:VirtualNetwork", inputs, None)
    assert outputs["subnets"][0]["name"] == "a"
    assert outputs["subnets"][0]["id"] == UNKNOWN


def test_in_a_preview_of_an_update_name_and_location_stay_known(cloud: Cloud) -> None:
    state = {"name": "vm", "location": "westus", "vmId": "x"}
    outputs = cloud.provider.preview(VM, {"vmName": "vm", "priority": "Regular"}, state)
    assert (outputs["name"], outputs["location"], outputs["vmId"]) == ("vm", "westus", UNKNOWN)


@pytest.mark.parametrize(
    ("kind", "path", "replaces"),
    [
        ("compute:VirtualMachine", "vmName", True),
        ("compute:VirtualMachine", "resourceGroupName", True),
        ("compute:VirtualMachine", "location", True),
        ("compute:VirtualMachine", "osProfile.customData", False),
        ("compute:VirtualMachine", "hardwareProfile.vmSize", False),
        ("compute:VirtualMachine", "tags.owner", False),
        ("network:PublicIPAddress", "sku.name", True),
        ("network:VirtualNetwork", "subnets[0].addressPrefix", False),
        ("authorization:RoleAssignment", "principalId", True),
        ("authorization:RoleAssignment", "scope", True),
        ("authorization:RoleAssignment", "description", False),
        ("keyvault:Secret", "vaultName", True),
        ("keyvault:Secret", "properties.value", False),
        ("managedidentity:FederatedIdentityCredential", "resourceName", True),
        ("managedidentity:FederatedIdentityCredential", "subject", False),
        ("containerservice:ManagedCluster", "dnsPrefix", True),
        ("containerservice:ManagedCluster", "networkProfile.networkPlugin", True),
        ("containerservice:ManagedCluster", "networkProfile.loadBalancerSku", False),
        ("containerservice:ManagedCluster", "agentPoolProfiles[0].count", False),
        ("containerservice:AgentPool", "vmSize", True),
        ("containerservice:AgentPool", "count", False),
        ("consumption:Budget", "scope", True),
        ("consumption:Budget", "amount", False),
        ("monitor:DiagnosticSetting", "resourceUri", True),
    ],
)
def test_what_a_change_replaces(cloud: Cloud, kind: str, path: str, replaces: bool) -> None:
    assert cloud.provider.replaces(f"azure-native:{kind}", Change(path, "update")) is replaces


def test_an_overloaded_service_is_asked_again_after_a_while() -> None:
    cloud = build(None, Fault(operation="PUT", status=503, code="ServerBusy", times=2))
    cloud.group()
    assert [call.status for call in cloud.journal.calls if call.operation == "PUT"] == [503, 503, 201]
    assert cloud.clock.seconds == 20 + 60 + 2


def test_after_three_repeats_the_provider_gives_up() -> None:
    cloud = build(None, Fault(operation="PUT", status=503, code="ServerBusy", times=9))
    with refused() as refusal:
        cloud.group()
    assert refusal.said == (503, "ServerBusy")
    assert cloud.clock.seconds == 20 + 60 + 120


def test_a_plain_conflict_is_not_tried_again() -> None:
    cloud = build(None, Fault(operation="PUT", status=409, code="Conflict"))
    with refused() as refusal:
        cloud.group()
    assert refusal.said == (409, "Conflict")
    assert cloud.clock.seconds == 0


def test_another_operation_in_progress_is_waited_for() -> None:
    cloud = build(None, Fault(operation="PUT", status=409, code="AnotherOperationInProgress"))
    cloud.group()
    assert cloud.clock.seconds == 20 + 2


def test_a_lost_answer_is_repaired_by_the_repeat() -> None:
    cloud = build(None, Fault(operation="PUT", status=500, after=True))
    cloud.group()
    assert [call.status for call in cloud.journal.calls if call.operation == "PUT"] == [500, 200]


def test_a_resource_whose_answer_stays_lost_reaches_the_state() -> None:
    cloud = build(None, Fault(operation="PUT", status=500, times=9, after=True))
    with pytest.raises(HalfMadeError) as half_made:
        cloud.group()
    assert half_made.value.resource_id == GROUP
    assert half_made.value.outputs["location"] == "westus"


def test_a_resource_that_cannot_be_read_after_the_write_reaches_the_state() -> None:
    cloud = build(None, Fault(operation="GET", status=500, first=2, times=4))
    with pytest.raises(HalfMadeError) as half_made:
        cloud.group()
    assert half_made.value.outputs["name"] == "rg"


def test_a_failed_allocation_leaves_a_failed_machine_that_reaches_the_state() -> None:
    fault = Fault(operation="PUT", target="*/virtualMachines/*", status=409, code="AllocationFailed")
    cloud = build(None, fault)
    with pytest.raises(HalfMadeError, match="AllocationFailed") as half_made:
        cloud.machine()
    assert half_made.value.outputs["provisioningState"] == "Failed"
    assert len([call for call in cloud.journal.calls if call.code == "AllocationFailed"]) == 1


def test_the_half_made_machine_is_repaired_by_an_update() -> None:
    cloud = build(None, Fault(operation="PUT", target="*/virtualMachines/*", status=409, code="AllocationFailed"))
    with pytest.raises(HalfMadeError) as half_made:
        cloud.machine()
    inputs = cloud.machine_inputs(nic=f"{GROUP}/providers/Microsoft.Network/networkInterfaces/vm-nic")
    outputs = cloud.update("compute:VirtualMachine", half_made.value.resource_id, **inputs)
    assert outputs["provisioningState"] == "Succeeded"


def test_every_call_is_in_the_journal_once(ready: Cloud) -> None:
    before = len(ready.journal.calls)
    ready.identity()
    assert [(call.operation, call.status) for call in ready.journal.calls[before:]] == [
        ("GET", 404),
        ("PUT", 201),
        ("GET", 200),
    ]


def test_the_client_configuration_is_the_scenarios(cloud: Cloud) -> None:
    found = cloud.provider.invoke("azure-native:authorization:getClientConfig", {})
    assert found["tenantId"] == TENANT
    assert found["objectId"] == default_scenario().deployer


def test_an_unknown_function_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.provider.invoke("azure-native:storage:listStorageAccountKeys", {})
    assert refusal.said == (400, "InvalidFunction")
