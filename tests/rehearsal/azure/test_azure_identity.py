"""Identities, federated credentials, role assignments and the time Entra needs."""

import threading
import uuid
from typing import Any

import pytest

from tests.rehearsal.azure.simulated import GROUP, OLD_PRINCIPAL, SUBSCRIPTION, TENANT, Cloud, refused, until
from virtci.rehearsal.azure import tables
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ISSUER = "https://token.actions.githubusercontent.com"


@pytest.fixture
def grouped(cloud: Cloud) -> Cloud:
    cloud.group()
    return cloud


def credential(cloud: Cloud, name: str, subject: str) -> tuple[str, Values]:
    return cloud.create(
        "managedidentity:FederatedIdentityCredential",
        resourceName="identity",
        federatedIdentityCredentialResourceName=name,
        issuer=ISSUER,
        subject=subject,
        audiences=["api://AzureADTokenExchange"],
    )


def test_an_identity_has_a_principal_a_client_and_a_tenant(grouped: Cloud) -> None:
    _, outputs = grouped.identity()
    assert outputs["tenantId"] == TENANT
    assert uuid.UUID(outputs["principalId"]) != uuid.UUID(outputs["clientId"])


def test_a_credential_needs_its_identity(grouped: Cloud) -> None:
    with refused() as refusal:
        credential(grouped, "dev", "repo:o/r:environment:dev")
    assert refusal.said == (404, "ParentResourceNotFound")


def test_an_identity_takes_twenty_credentials(grouped: Cloud) -> None:
    grouped.identity()
    for number in range(20):
        credential(grouped, f"environment-{number}", f"repo:o/r:environment:{number}")
    with refused() as refusal:
        credential(grouped, "one-more", "repo:o/r:environment:more")
    assert refusal.said == (400, "TooManyFederatedIdentityCredentials")


def test_issuer_and_subject_are_trusted_once(grouped: Cloud) -> None:
    grouped.identity()
    credential(grouped, "dev", "repo:o/r:environment:dev")
    with refused() as refusal:
        credential(grouped, "again", "repo:o/r:environment:dev")
    assert refusal.said == (409, "IssuerAndSubjectAlreadyExists")


def test_credentials_of_one_identity_written_at_once_collide(grouped: Cloud) -> None:
    grouped.identity()
    refusals: list[CloudError] = []

    def write(name: str) -> None:
        try:
            credential(grouped, name, name)
        except CloudError as error:
            refusals.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    with grouped.clock.operation():  # time stands still until both have asked
        for writer in writers:
            writer.start()
        until(lambda: bool(refusals))
    for writer in writers:
        writer.join()
    assert [error.code for error in refusals] == [
        "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
    ]


def test_credentials_of_two_identities_do_not_collide(grouped: Cloud) -> None:
    grouped.identity()
    other, _ = grouped.identity("other")
    grouped.manager.store.busy.add(f"{other}/federatedIdentityCredentials/x".lower())
    assert credential(grouped, "dev", "repo:o/r:environment:dev")


def test_a_deletion_collides_as_well(grouped: Cloud) -> None:
    identity, _ = grouped.identity()
    made, _ = credential(grouped, "dev", "repo:o/r:environment:dev")
    grouped.manager.store.busy.add(f"{identity}/federatedIdentityCredentials/x".lower())
    with refused() as refusal:
        grouped.delete(made)
    assert refusal.error.status == 409


def assign(cloud: Cloud, principal: str, *, number: int = 1, role: str = READER, **more: str) -> tuple[str, Values]:
    return cloud.create(
        "authorization:RoleAssignment",
        scope=more.pop("scope", GROUP),
        roleAssignmentName=more.pop("name", str(uuid.UUID(int=number))),
        principalId=principal,
        roleDefinitionId=f"{SUBSCRIPTION}{ROLES}/{role}",
        **more,
    )


def test_a_new_principal_is_not_known_everywhere_for_two_minutes(grouped: Cloud) -> None:
    _, identity = grouped.identity()
    with refused() as refusal:
        assign(grouped, identity["principalId"])
    assert refusal.said == (400, "PrincipalNotFound")
    grouped.clock.advance(120)
    assert assign(grouped, identity["principalId"])


def test_with_its_type_named_a_new_principal_is_taken_at_once(grouped: Cloud) -> None:
    _, identity = grouped.identity()
    _, outputs = assign(grouped, identity["principalId"], principalType="ServicePrincipal")
    assert outputs["scope"] == GROUP


def test_a_principal_that_never_existed_is_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        assign(grouped, str(uuid.UUID(int=99)), principalType="ServicePrincipal")
    assert refusal.said == (400, "PrincipalNotFound")


def test_a_deleted_identity_is_no_principal_any_more(grouped: Cloud) -> None:
    made, identity = grouped.identity()
    grouped.delete(made)
    with refused() as refusal:
        assign(grouped, identity["principalId"], principalType="ServicePrincipal")
    assert refusal.said == (400, "PrincipalNotFound")


def test_the_same_assignment_under_another_name_is_refused(grouped: Cloud) -> None:
    assign(grouped, OLD_PRINCIPAL)
    with refused() as refusal:
        assign(grouped, OLD_PRINCIPAL, number=2)
    assert refusal.said == (409, "RoleAssignmentExists")


def test_the_same_assignment_at_another_scope_is_another_one(grouped: Cloud) -> None:
    assign(grouped, OLD_PRINCIPAL)
    assert assign(grouped, OLD_PRINCIPAL, number=2, scope=SUBSCRIPTION)


def test_a_role_that_does_not_exist_is_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        assign(grouped, OLD_PRINCIPAL, role=str(uuid.UUID(int=7)))
    assert refusal.said == (400, "RoleDefinitionDoesNotExist")


def test_every_built_in_role_of_the_table_exists(grouped: Cloud) -> None:
    for number, role in enumerate(sorted(tables.role_ids())):
        assign(grouped, OLD_PRINCIPAL, number=number, role=role)


def test_an_assignment_is_named_by_a_guid(grouped: Cloud) -> None:
    with refused() as refusal:
        assign(grouped, OLD_PRINCIPAL, name="reader")
    assert refusal.said == (400, "InvalidRoleAssignmentId")


def test_an_assignment_needs_its_scope(grouped: Cloud) -> None:
    with refused() as refusal:
        assign(grouped, OLD_PRINCIPAL, scope=f"{GROUP}/providers/Microsoft.KeyVault/vaults/missing")
    assert refusal.said == (404, "ResourceNotFound")


@pytest.mark.parametrize("version", [None, "1.0"])
def test_a_condition_needs_its_version(grouped: Cloud, version: str | None) -> None:
    more: dict[str, Any] = {"conditionVersion": version} if version else {}
    with refused() as refusal:
        assign(grouped, OLD_PRINCIPAL, condition="@Resource[x] StringEquals 'y'", **more)
    assert refusal.said == (400, "InvalidConditionVersion")


def test_a_condition_with_its_version_is_taken(grouped: Cloud) -> None:
    assert assign(grouped, OLD_PRINCIPAL, condition="@Resource[x] StringEquals 'y'", conditionVersion="2.0")


def test_the_role_of_an_assignment_is_fixed(grouped: Cloud) -> None:
    made, _ = assign(grouped, OLD_PRINCIPAL)
    other = sorted(tables.role_ids() - {READER})[0]
    with refused() as refusal:
        grouped.update(
            "authorization:RoleAssignment",
            made,
            scope=GROUP,
            roleAssignmentName=str(uuid.UUID(int=1)),
            principalId=OLD_PRINCIPAL,
            roleDefinitionId=f"{SUBSCRIPTION}{ROLES}/{other}",
        )
    assert refusal.said == (400, "RoleAssignmentUpdateNotPermitted")


def define(cloud: Cloud, guid: str, **more: object) -> tuple[str, Values]:
    inputs: Values = {
        "roleName": "Reaper",
        "permissions": [{"actions": ["Microsoft.Compute/virtualMachines/delete"]}],
        "assignableScopes": [SUBSCRIPTION],
    }
    return cloud.create("authorization:RoleDefinition", scope=SUBSCRIPTION, roleDefinitionId=guid, **(inputs | more))


def test_a_custom_role_can_be_assigned_and_is_then_in_use(grouped: Cloud) -> None:
    guid = str(uuid.UUID(int=5))
    made, outputs = define(grouped, guid)
    assert outputs["roleType"] == "CustomRole"
    assignment, _ = assign(grouped, OLD_PRINCIPAL, role=guid)
    with refused() as refusal:
        grouped.delete(made)
    assert refusal.said == (400, "RoleDefinitionHasAssignments")
    grouped.delete(assignment)
    grouped.delete(made)


def test_custom_roles_have_names_of_their_own(grouped: Cloud) -> None:
    define(grouped, str(uuid.UUID(int=5)))
    with refused() as refusal:
        define(grouped, str(uuid.UUID(int=6)))
    assert refusal.said == (409, "RoleDefinitionWithSameNameExists")


def test_a_custom_role_without_permissions_is_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        define(grouped, str(uuid.UUID(int=5)), permissions=[])
    assert refusal.said == (400, "InvalidRoleDefinition")
