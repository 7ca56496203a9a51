"""Storage accounts through Resource Manager."""

from typing import Any

import pytest

from tests.rehearsal.azure.accounts import ACCOUNT, ACCOUNT_ID, CONTAINER_ID, account, container
from tests.rehearsal.azure.simulated import SUBSCRIPTION, Cloud, build, default_scenario, refused

KEPT = {"enabled": True, "days": 14}
FORGET = {"version": {"delete": {"daysAfterCreationGreaterThan": 14}}}


def lifecycle(cloud: Cloud, *actions: Any) -> str:
    rules = [
        {"name": f"rule{index}", "type": "Lifecycle", "definition": {"actions": item}}
        for index, item in enumerate(actions)
    ]
    return cloud.create(
        "storage:ManagementPolicy", accountName=ACCOUNT, managementPolicyName="default", policy={"rules": rules}
    )[0]  # fmt: skip


def service(cloud: Cloud, **more: Any) -> str:
    return cloud.create("storage:BlobServiceProperties", accountName=ACCOUNT, blobServicesName="default", **more)[0]


def test_an_account_answers_with_its_endpoints_and_is_open_unless_told_otherwise(ready: Cloud) -> None:
    _, found = ready.create(
        "storage:StorageAccount", accountName=ACCOUNT, kind="StorageV2", sku={"name": "Standard_LRS"}
    )
    assert found["primaryEndpoints"]["blob"] == f"https://{ACCOUNT}.blob.core.windows.net/"
    assert (found["networkRuleSet"]["defaultAction"], found["publicNetworkAccess"]) == ("Allow", "Enabled")
    assert (found["allowBlobPublicAccess"], found["enableHttpsTrafficOnly"]) == (False, True)


@pytest.mark.parametrize("name", ["ab", "Records", "rec-ords", "x" * 25])
def test_a_name_that_is_no_host_name_is_refused(ready: Cloud, name: str) -> None:
    with refused() as refusal:
        account(ready, name)
    assert refusal.said == (400, "AccountNameInvalid")


def test_names_are_unique_in_all_of_azure() -> None:
    cloud = build(default_scenario(taken_names={f"Microsoft.Storage/storageAccounts:{ACCOUNT}"}))
    cloud.group()
    with refused() as refusal:
        account(cloud)
    assert refusal.said == (409, "StorageAccountAlreadyTaken")
    body = {"name": ACCOUNT, "type": "Microsoft.Storage/storageAccounts"}
    asked = f"{SUBSCRIPTION}/providers/Microsoft.Storage/checkNameAvailability"
    assert cloud.request("POST", asked, body).body == {
        "nameAvailable": False, "reason": "AlreadyExists", "message": f"The storage account named {ACCOUNT} is already taken.",
    }  # fmt: skip
    assert (cloud.request("POST", asked, {"name": "free"}).body or {})["nameAvailable"]


def test_the_kind_of_an_account_stays(ready: Cloud) -> None:
    place = account(ready)
    with refused() as refusal:
        ready.update(
            "storage:StorageAccount", place, accountName=ACCOUNT, kind="BlobStorage", sku={"name": "Standard_LRS"}
        )
    assert refusal.said == (409, "AccountPropertyCannotBeUpdated")


def test_the_blob_service_comes_with_the_account_is_set_and_set_back_and_never_deleted(ready: Cloud) -> None:
    account(ready)
    place = f"{ACCOUNT_ID}/blobServices/default"
    assert ready.exists(place)

    made = service(ready, isVersioningEnabled=True, deleteRetentionPolicy=KEPT)
    assert (made, ready.get(place)["properties"]["isVersioningEnabled"]) == (place, True)

    ready.provider.delete("azure-native:storage:BlobServiceProperties", place, {})
    assert "isVersioningEnabled" not in ready.get(place)["properties"]


@pytest.mark.parametrize("days", [0, 366, None])
def test_retention_has_bounds(ready: Cloud, days: int | None) -> None:
    account(ready)
    with refused() as refusal:
        service(ready, containerDeleteRetentionPolicy={"enabled": True, "days": days})
    assert refusal.said == (400, "InvalidRequestPropertyValue")


def test_a_blob_service_has_one_name(ready: Cloud) -> None:
    account(ready)
    with refused() as refusal:
        ready.create("storage:BlobServiceProperties", accountName=ACCOUNT, blobServicesName="azure-state-blobs")
    assert refusal.said == (404, "HttpResourceNotFound")


def test_a_lifecycle_of_versions_needs_versions(ready: Cloud) -> None:
    account(ready)
    with refused() as refusal:
        lifecycle(ready, FORGET)
    assert refusal.said == (400, "FeatureNotSupportedForAccount")
    service(ready, isVersioningEnabled=True)
    assert lifecycle(ready, FORGET) == f"{ACCOUNT_ID}/managementPolicies/default"


def test_a_lifecycle_has_rules(ready: Cloud) -> None:
    account(ready)
    with refused() as refusal:
        lifecycle(ready)
    assert refusal.said == (400, "InvalidRequestPropertyValue")


def test_a_container_needs_its_account(ready: Cloud) -> None:
    with refused() as refusal:
        container(ready)
    assert refusal.said == (404, "ParentResourceNotFound")


@pytest.mark.parametrize("name", ["ab", "Records", "-records", "re--cords", "x" * 64])
def test_a_container_with_an_illegal_name_is_refused(ready: Cloud, name: str) -> None:
    account(ready)
    with refused() as refusal:
        container(ready, name)
    assert refusal.said == (400, "ContainerOperationFailure")


def test_a_container_is_public_only_where_its_account_lets_it(ready: Cloud) -> None:
    account(ready)
    with refused() as refusal:
        container(ready, publicAccess="Blob")
    assert refusal.said == (409, "PublicAccessNotPermitted")
    assert ready.get(container(ready))["properties"]["publicAccess"] == "None"


def test_everything_goes_with_the_account(ready: Cloud) -> None:
    place = account(ready)
    container(ready)
    ready.delete(place)
    assert not ready.exists(CONTAINER_ID)
    assert [item for item in ready.manager.remaining() if "Microsoft.Storage" in item] == []


def test_a_misspelt_property_is_refused_before_anything_is_called(ready: Cloud) -> None:
    found = ready.problems(
        "storage:StorageAccount",
        accountName=ACCOUNT,
        kind="StorageV2",
        sku={"name": "Standard_LRS"},
        networkRuleSett={},
    )
    assert found == {
        "networkRuleSett": "is not a property of StorageAccountCreateParameters; did you mean 'networkRuleSet'?"
    }
