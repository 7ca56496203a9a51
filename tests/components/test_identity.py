"""Identities: no stored secret, trusted subjects, least rights."""

import pytest

from components.identity import Identity
from tests.committed import STACKS, fleet
from tests.recorder import Recorder, record
from virtci.core.oidc import environment_of

CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
OWNER_LIKE = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
)


@pytest.mark.parametrize("environment", ["dev", "test-mshv", "test-kvm", "test-emulation"])
def test_the_identity_of_an_environment_is_bound_to_that_environment_in_both_forms(environment: str) -> None:
    stack = "dev" if environment == "dev" else "test"
    subjects = [
        item.inputs["subject"]
        for item in fleet(stack).all(CREDENTIAL)
        if item.name.startswith(f"{environment}-identity")
    ]

    assert len(subjects) == 2
    assert {environment_of(subject) for subject in subjects} == {environment}
    assert len([subject for subject in subjects if "@" in subject]) == 1


def test_preview_is_trusted_for_pull_requests_and_drift_checks_and_may_only_read() -> None:
    subjects = [item.inputs["subject"] for item in fleet("hub").all(CREDENTIAL) if item.name.startswith("hub-preview")]
    roles = [
        item.inputs["roleDefinitionId"].rsplit("/", 1)[-1]
        for item in fleet("hub").all(ASSIGNMENT)
        if item.inputs["principalId"] == "principal-of-hub-preview"
    ]

    assert {subject.partition(":")[2].partition(":")[2] for subject in subjects} == {
        "pull_request",
        "environment:drift",
    }
    assert roles == ["acdd72a7-3385-48ef-bd42-f606fba81ae7"]


def test_credentials_of_one_identity_are_made_one_after_the_other() -> None:
    second = fleet("dev").one(CREDENTIAL, "dev-identity-immutable")

    assert any(urn.endswith("::dev-identity-classic") for urn in second.depends_on)


def test_nobody_is_owner_or_contributor() -> None:
    found = [
        item.name
        for stack in STACKS
        for item in fleet(stack).all(ASSIGNMENT)
        if item.inputs["roleDefinitionId"].rsplit("/", 1)[-1] in OWNER_LIKE
    ]

    assert found == []


def test_every_assignment_states_that_its_principal_is_a_service() -> None:
    kinds = {item.inputs["principalType"] for stack in STACKS for item in fleet(stack).all(ASSIGNMENT)}

    assert kinds == {"ServicePrincipal"}


def test_who_may_assign_roles_may_assign_only_those_of_the_fleet() -> None:
    delegated = fleet("hub").one(ASSIGNMENT, "hub-deploy-delegate").inputs

    assert delegated["conditionVersion"] == "2.0"
    assert "4633458b-17de-408a-b874-0445c86b69e6" in delegated["condition"]
    assert not [guid for guid in OWNER_LIKE if guid in delegated["condition"]]
    assert "roleAssignments/delete" in delegated["condition"]


def test_the_deploy_role_cannot_purge_run_commands_or_define_roles() -> None:
    permission = (
        fleet("hub").one("azure-native:authorization:RoleDefinition", "hub-deploy-role").inputs["permissions"][0]
    )

    assert "*" not in permission["actions"]
    assert "Microsoft.KeyVault/locations/deletedVaults/purge/action" in permission["notActions"]
    assert "Microsoft.Compute/virtualMachines/runCommand/action" in permission["notActions"]
    assert not [
        action
        for action in permission["actions"]
        if action.startswith("Microsoft.Authorization") and "read" not in action
    ]
    assert "dataActions" not in permission


def test_more_subjects_than_the_platform_takes_are_refused() -> None:
    def program() -> None:
        Identity(
            "busy",
            {
                "identity_name": "busy",
                "resource_group_name": "g",
                "location": "westus",
                "tags": {},
                "subjects": {f"subject-{number}": "x" for number in range(21)},
            },
        )

    with pytest.raises(ValueError, match="has 21 subjects; an identity takes 20"):
        record(program, Recorder())
