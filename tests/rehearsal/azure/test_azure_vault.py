"""Key vaults: names that outlive their vaults, and secrets that never come out."""

import pytest

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud, build, default_scenario, refused
from virtci.rehearsal.bridge import Values

VAULTS = f"{GROUP}/providers/Microsoft.KeyVault/vaults"
DELETED = f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westus/deletedVaults"
DAY = 24 * 3600.0


@pytest.fixture
def grouped(cloud: Cloud) -> Cloud:
    cloud.group()
    return cloud


def test_a_vault_says_where_it_is(grouped: Cloud) -> None:
    properties = grouped.get(grouped.vault())["properties"]
    assert properties["vaultUri"] == "https://kv-test.vault.azure.net/"
    assert properties["softDeleteRetentionInDays"] == 90
    assert properties["enableRbacAuthorization"] is False


@pytest.mark.parametrize("name", ["kv", "1kv-test", "kv--test", "kv-test-", "kv_test", "k" * 25])
def test_a_vault_name_that_breaks_the_rule_is_refused(grouped: Cloud, name: str) -> None:
    with refused() as refusal:
        grouped.vault(name)
    assert refusal.said == (400, "VaultNameNotValid")


def test_a_name_that_somebody_else_owns_is_refused() -> None:
    cloud = build(default_scenario(taken_names={"Microsoft.KeyVault/vaults:KV-Test"}))
    cloud.group()
    with refused() as refusal:
        cloud.vault()
    assert refusal.said == (409, "VaultAlreadyExists")


def test_a_deleted_vault_holds_its_name_until_its_retention_ends(grouped: Cloud) -> None:
    grouped.delete(grouped.vault(softDeleteRetentionInDays=7))
    grouped.clock.advance(6 * DAY)
    with refused() as refusal:
        grouped.vault()
    assert refusal.said == (409, "ConflictError")
    assert "recover or purge" in refusal.error.message
    grouped.clock.advance(1.1 * DAY)
    assert grouped.vault()


def test_a_name_that_is_soft_deleted_from_the_start_is_refused() -> None:
    cloud = build(default_scenario(soft_deleted={"kv-test"}))
    cloud.group()
    with refused() as refusal:
        cloud.vault()
    assert refusal.said == (409, "ConflictError")


def test_a_deleted_vault_can_be_recovered(grouped: Cloud) -> None:
    grouped.delete(grouped.vault())
    assert grouped.vault(createMode="recover")


def test_a_deleted_vault_can_be_purged(grouped: Cloud) -> None:
    grouped.delete(grouped.vault())
    assert [item["name"] for item in grouped.get(f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedVaults")["value"]]
    assert grouped.get(f"{DELETED}/kv-test")["properties"]["purgeProtectionEnabled"] is False
    assert grouped.request("POST", f"{DELETED}/kv-test/purge").status == 200
    assert grouped.request("GET", f"{DELETED}/kv-test").status == 404
    assert grouped.vault()


def test_purge_protection_forbids_the_purge(grouped: Cloud) -> None:
    grouped.delete(grouped.vault(enablePurgeProtection=True))
    response = grouped.request("POST", f"{DELETED}/kv-test/purge")
    assert (response.status, (response.body or {})["error"]["code"]) == (409, "MethodNotAllowed")


def test_purge_protection_cannot_be_false(grouped: Cloud) -> None:
    with refused() as refusal:
        grouped.vault(enablePurgeProtection=False)
    assert refusal.said == (400, "BadRequest")


def vault_inputs(**properties: object) -> Values:
    fixed = {"tenantId": default_scenario().tenant, "sku": {"family": "A", "name": "standard"}}
    return {"vaultName": "kv-test", "properties": fixed | properties}


def test_purge_protection_cannot_be_taken_back(grouped: Cloud) -> None:
    made = grouped.vault(enablePurgeProtection=True)
    with refused() as refusal:
        grouped.update("keyvault:Vault", made, **vault_inputs())
    assert "enablePurgeProtection" in refusal.error.message


@pytest.mark.parametrize("days", [6, 91])
def test_the_retention_has_its_limits(grouped: Cloud, days: int) -> None:
    with refused() as refusal:
        grouped.vault(softDeleteRetentionInDays=days)
    assert refusal.said == (400, "BadRequest")


def test_the_retention_is_fixed_at_creation(grouped: Cloud) -> None:
    made = grouped.vault(softDeleteRetentionInDays=7)
    with refused() as refusal:
        grouped.update("keyvault:Vault", made, **vault_inputs(softDeleteRetentionInDays=30))
    assert "softDeleteRetentionInDays" in refusal.error.message


def secret(cloud: Cloud, value: str = "canary") -> tuple[str, Values]:
    return cloud.create("keyvault:Secret", vaultName="kv-test", secretName="token", properties={"value": value})


def test_a_secret_goes_in_and_never_comes_out(grouped: Cloud) -> None:
    grouped.vault()
    made, outputs = secret(grouped)
    assert "canary" not in str(outputs)
    assert "canary" not in str(grouped.get(made))
    assert "canary" not in str(grouped.get(f"{VAULTS}/kv-test/secrets"))
    assert "canary" not in str(grouped.journal.calls)
    assert outputs["properties"]["secretUri"] == "https://kv-test.vault.azure.net/secrets/token"


def test_a_new_value_is_a_new_version(grouped: Cloud) -> None:
    grouped.vault()
    made, before = secret(grouped)

    def put(value: str) -> str:
        inputs = {"vaultName": "kv-test", "secretName": "token", "properties": {"value": value}}
        return str(grouped.update("keyvault:Secret", made, **inputs)["properties"]["secretUriWithVersion"])

    assert put("canary") == before["properties"]["secretUriWithVersion"]
    assert put("other") != before["properties"]["secretUriWithVersion"]


def test_a_deleted_secret_holds_its_name(grouped: Cloud) -> None:
    grouped.vault()
    grouped.delete(secret(grouped)[0])
    with refused() as refusal:
        secret(grouped)
    assert refusal.said == (409, "ConflictError")
    assert "deleted but recoverable" in refusal.error.message


def test_a_secret_of_a_purged_vault_does_not(grouped: Cloud) -> None:
    vault = grouped.vault()
    secret(grouped)
    grouped.delete(vault)
    grouped.request("POST", f"{DELETED}/kv-test/purge")
    grouped.vault()
    assert secret(grouped)
