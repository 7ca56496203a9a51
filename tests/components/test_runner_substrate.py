"""What on-demand runners stand on in Azure: closed, and as narrow as it can be for who launches and for what is launched."""

import re
from typing import Any

import pytest

from components.runner_roles import LAUNCHER, REGISTRAR, REGISTRATION, ROLES
from tests.committed import record_configuration, stack_file
from tests.recorder import Recorder
from virtci.core.oidc import environment_of
from virtci.core.runners.leases import slot_names


def azure_half(configuration: dict[str, Any]) -> Recorder:
    """What the stack declares in Azure and on GitHub."""
    configuration["virt-ci:runners"].pop("aws")
    return record_configuration("kontain", configuration)


KONTAIN = azure_half(stack_file("kontain"))
GROUP = "azure-native:resources:ResourceGroup"
SECRET = "azure-native:keyvault:Secret"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
ROLE = "azure-native:authorization:RoleDefinition"
NETWORK = "azure-native:network:VirtualNetwork"
LAUNCHER_PRINCIPAL = "principal-of-azure-launcher"
SLOTS = slot_names("westus", 11)


def rights(principal: str, found: Recorder = KONTAIN) -> dict[str, set[str]]:
    """The scopes of a principal's assignments by the name of their role."""
    held: dict[str, set[str]] = {}
    for item in found.all(ASSIGNMENT):
        if item.inputs["principalId"] == principal:
            role = item.inputs["roleDefinitionId"].rsplit("/", 1)[-1]
            held.setdefault(role, set()).add(item.inputs["scope"])
    return held


def own(name: str) -> str:
    """The recorder's id of a role of the project's own."""
    return f"azure-{name.removeprefix('virt-ci ').replace(' ', '-')}-role"


def test_there_is_a_slot_for_each_unit_with_group_identity_and_secret() -> None:
    groups = {item.inputs["resourceGroupName"] for item in KONTAIN.all(GROUP)}
    identities = {
        item.inputs["resourceName"]: item.inputs["resourceGroupName"]
        for item in KONTAIN.all("azure-native:managedidentity:UserAssignedIdentity")
    }
    secrets = {item.inputs["secretName"] for item in KONTAIN.all(SECRET)}

    assert groups == {"auto-github-runner", "auto-github-runner-kept", *SLOTS}
    assert {slot: identities[slot] for slot in SLOTS} == {slot: slot for slot in SLOTS}
    assert secrets == {f"{slot}-registration" for slot in SLOTS}


@pytest.mark.parametrize("slot", SLOTS)
def test_a_machine_has_its_registration_and_the_tags_of_its_slot_and_nothing_else(slot: str) -> None:
    assert rights(f"principal-of-{slot}-identity") == {
        own("virt-ci runner registration"): {f"/ids/{slot}-registration"},
        own("virt-ci runner boot tagger"): {f"/ids/{slot}-group"},
    }


def test_the_launcher_has_the_slots_and_little_else() -> None:
    assert rights(LAUNCHER_PRINCIPAL) == {
        own("virt-ci runner launcher"): {f"/ids/{slot}-group" for slot in SLOTS},
        own("virt-ci runner registrar"): {f"/ids/{slot}-registration" for slot in SLOTS},
        own("virt-ci runner keeper"): {"/ids/azure-kept"},
        own("virt-ci runner subnet joiner"): {"/ids/azure-westus-network/subnets/runners"},
        own("virt-ci runner recorder"): {"/ids/azure-state-records", "/ids/azure-state-run-stacks"},
        own("virt-ci runner region reader"): {"/subscriptions/00000000-0000-0000-0000-0000000000a1"},
        "cf7c76d2-98a3-4358-a134-615aa78bf44d": {"/ids/azure-gallery-image"},
    }


def test_roles_name_each_action_and_none_leads_to_more_rights() -> None:
    actions = [action for role in ROLES for action in (*role.actions, *role.data_actions)]

    assert not [action for action in actions if "*" in action or "Microsoft.Authorization" in action]
    assert not [
        action for action in actions if re.search(r"runCommand|extensions|listKeys|virtualNetworks/write", action)
    ]
    assert {item.inputs["roleName"] for item in KONTAIN.all(ROLE)} == {role.name for role in ROLES}


def test_who_writes_registrations_does_not_read_them_and_who_reads_does_not_delete() -> None:
    assert REGISTRAR.data_actions == LAUNCHER.data_actions == ()
    assert {action.rsplit("/", 2)[1] for action in REGISTRATION.data_actions} == {"getSecret", "setSecret"}


def test_the_launcher_trusts_one_environment_of_one_repository() -> None:
    subjects = [
        item.inputs["subject"] for item in KONTAIN.all("azure-native:managedidentity:FederatedIdentityCredential")
    ]

    assert len(subjects) == 2
    assert {environment_of(subject) for subject in subjects} == {"runners"}
    assert all(re.match(r"repo:rehearsal-org(@\d+)?/km[@:]", subject) for subject in subjects)


def test_that_environment_names_its_branches_and_tells_workflows_who_they_are() -> None:
    environment = KONTAIN.one("github:index/repositoryEnvironment:RepositoryEnvironment").inputs
    patterns = {
        item.inputs["branchPattern"]
        for item in KONTAIN.all(
            "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
        )
    }
    variables = {
        item.inputs["variableName"]: item.inputs["value"]
        for item in KONTAIN.all("github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable")
    }

    assert (environment["environment"], environment["canAdminsBypass"]) == ("runners", False)
    assert patterns == {"master", "refs/pull/*/merge"}
    assert variables["AZURE_CLIENT_ID"] == "client-of-azure-launcher"


def test_machines_are_reached_by_nobody_and_leave_by_one_address() -> None:
    (subnet,) = KONTAIN.one(NETWORK).inputs["subnets"]
    rules = KONTAIN.one("azure-native:network:NetworkSecurityGroup").inputs["securityRules"]

    assert (subnet["defaultOutboundAccess"], subnet["natGateway"]) == (
        False,
        {"id": "/ids/azure-westus-network-egress"},
    )
    assert not [rule for rule in rules if rule["direction"] == "Inbound" and rule["access"] == "Allow"]
    assert [item.name for item in KONTAIN.all("azure-native:network:PublicIPAddress")] == [
        "azure-westus-network-egress-ip"
    ]


def test_the_vault_lets_in_the_machines_alone() -> None:
    acls = KONTAIN.one("azure-native:keyvault:Vault").inputs["properties"]["networkAcls"]

    assert acls["virtualNetworkRules"] == [{"id": "/ids/azure-westus-network/subnets/runners"}]


def test_the_image_definition_has_no_security_type() -> None:
    image = KONTAIN.one("azure-native:compute:GalleryImage").inputs

    assert (image["galleryImageName"], image["osState"], image["hyperVGeneration"]) == (
        "L0BaseImage",
        "Generalized",
        "V2",
    )
    assert "features" not in image


def test_nobody_is_let_into_the_state_by_a_key() -> None:
    account = KONTAIN.one("azure-native:storage:StorageAccount").inputs

    assert (account["allowSharedKeyAccess"], account["allowBlobPublicAccess"]) == (False, False)
    assert {item.inputs["containerName"] for item in KONTAIN.all("azure-native:storage:BlobContainer")} == {
        "records",
        "run-stacks",
    }


def test_the_budget_counts_the_machines_of_runs_as_well() -> None:
    assert KONTAIN.one("azure-native:consumption:Budget").inputs["filter"]["tags"]["name"] == "system"


def test_what_the_outputs_tell_of_a_slot_is_what_a_launcher_needs() -> None:
    azure = KONTAIN.exports["runners"]["azure"]

    assert azure["regions"]["westus"]["slots"]["auto-runner-westus-01"] == {
        "resourceGroup": "auto-runner-westus-01",
        "identityId": "/ids/auto-runner-westus-01-identity",
        "clientId": "client-of-auto-runner-westus-01-identity",
        "secret": "auto-runner-westus-01-registration",
    }
    assert azure["state"] == {
        "account": "kontainrunners", "endpoint": "https://kontainrunners.blob.core.windows.net/",
        "stacks": "run-stacks", "records": "records",
    }  # fmt: skip


def two_regions() -> Recorder:
    """The stack with a second, smaller region."""
    configuration: dict[str, Any] = stack_file("kontain")
    places = configuration["virt-ci:runners"]["azure"]["regions"]
    places["eastus"] = {
        **places["westus"], "network": "github-runner-east", "addressSpace": "10.72.0.0/16", "subnet": "10.72.0.0/24", "cores": 12,
    }  # fmt: skip
    return azure_half(configuration)


def test_every_region_has_a_network_and_slots_of_its_own() -> None:
    found = two_regions()
    east = slot_names("eastus", 2)

    assert {item.inputs["location"] for item in found.all(NETWORK)} == {"westus", "eastus"}
    assert {item.inputs["location"] for item in found.all(GROUP) if item.inputs["resourceGroupName"] in east} == {
        "eastus"
    }
    assert rights(LAUNCHER_PRINCIPAL, found)[own("virt-ci runner subnet joiner")] == {
        "/ids/azure-westus-network/subnets/runners",
        "/ids/azure-eastus-network/subnets/runners",
    }
    acls = found.one("azure-native:keyvault:Vault").inputs["properties"]["networkAcls"]
    assert len(acls["virtualNetworkRules"]) == 2
