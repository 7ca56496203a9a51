"""The real client of Key Vault against the simulated data plane."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from tests.rehearsal.azure.machines import (
    SECRET_OFFICER,
    SECRET_USER,
    SUBNET_ID,
    VAULT,
    VAULT_ID,
    grant,
    machine,
    open_vault,
    role,
    secret,
    secret_client,
)
from tests.rehearsal.azure.simulated import SUBSCRIPTION, Cloud, build
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.https import SecureEndpoint
from virtci.rehearsal.azure.secrets import AUDIENCE, Vault, held, serve_secrets
from virtci.rehearsal.azure.tokens import issue
from virtci.rehearsal.journal import Fault

ELSEWHERE = "00000000-0000-0000-0000-0000000000f1"


@pytest.fixture
def owner(ready: Cloud) -> str:
    """Somebody who may do everything with the vault's secrets."""
    open_vault(ready)
    _, identity = ready.identity("owner")
    grant(ready, identity["principalId"], SECRET_OFFICER, VAULT_ID)
    return str(identity["principalId"])


@pytest.fixture
def endpoint(ready: Cloud, tmp_path: Path) -> Iterator[SecureEndpoint]:
    with serve_secrets(Vault(ready.manager, VAULT), tmp_path) as served:
        yield served


def refusal(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str, str]:
    """Status, code and inner code of what the service said."""
    said: Any = error.value.error
    return error.value.status_code, said.code, (said.innererror or {}).get("code", "")


def plain(endpoint: SecureEndpoint) -> httpx.Client:
    """A client that knows nothing of vaults, as curl on a machine."""
    trusted = ssl.create_default_context(cafile=str(endpoint.certificate))
    return httpx.Client(base_url=endpoint.url, verify=trusted, trust_env=False)


def test_the_client_sets_a_secret_and_reads_it_with_all_its_marks(
    ready: Cloud, owner: str, endpoint: SecureEndpoint
) -> None:
    expires = datetime(2026, 1, 12, tzinfo=UTC)
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one", expires_on=expires, content_type="text/plain", tags={"owner": "ci"})
    found = client.get_secret("a")
    marks = found.properties
    assert (found.value, marks.expires_on, marks.content_type, marks.tags) == (
        "one", expires, "text/plain", {"owner": "ci"}
    )  # fmt: skip
    assert (marks.enabled, marks.created_on, marks.recoverable_days) == (
        True,
        ready.clock.now.replace(microsecond=0),
        90,
    )


def test_a_new_version_does_not_take_over_tags_and_type(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one", content_type="text/plain", tags={"owner": "ci"})
    client.set_secret("a", "two")
    assert (client.get_secret("a").properties.tags, client.get_secret("a").properties.content_type) == ({}, None)


def test_every_version_stays_readable_by_its_name(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    first = client.set_secret("a", "one").properties.version
    client.set_secret("a", "two")
    assert client.get_secret("a", first).value == "one"
    assert len(list(client.list_properties_of_secret_versions("a"))) == 2


def test_both_sides_see_the_same_secret(ready: Cloud, owner: str, endpoint: SecureEndpoint) -> None:
    place = secret(ready, "a", "placeholder")
    client = secret_client(endpoint, owner)
    assert client.get_secret("a").value == "placeholder"
    version = client.set_secret("a", "published", tags={"owner": "ci"}).properties.version
    seen = ready.get(place)
    assert (seen["tags"], seen["properties"]["secretUriWithVersion"].rsplit("/", 1)[-1]) == ({"owner": "ci"}, version)
    assert "published" not in str(seen)


def test_an_update_through_resource_manager_puts_its_value_back(
    ready: Cloud, owner: str, endpoint: SecureEndpoint
) -> None:
    place = secret(ready, "a", "placeholder")
    client = secret_client(endpoint, owner)
    client.set_secret("a", "published")
    ready.update("keyvault:Secret", place, vaultName=VAULT, secretName="a", properties={"value": "placeholder"})
    assert client.get_secret("a").value == "placeholder"
    assert [item.value for item in held(ready.manager, VAULT, "a")] == ["placeholder", "published", "placeholder"]


@pytest.mark.usefixtures("owner")
def test_a_caller_without_a_token_is_told_where_to_get_one(endpoint: SecureEndpoint) -> None:
    with plain(endpoint) as http:
        answer = http.get("/secrets/a?api-version=7.4")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer authorization="https://login.microsoftonline.com/')
    assert answer.headers["www-authenticate"].endswith('resource="https://vault.azure.net"')


def test_a_token_for_another_service_is_refused(ready: Cloud, owner: str, endpoint: SecureEndpoint) -> None:
    later = ready.clock.now.timestamp() + 60
    with pytest.raises(ClientAuthenticationError, match="audience"):
        secret_client(endpoint, issue(owner, "https://management.azure.com/", later)).get_secret("a")


def test_a_token_works_until_it_expires(ready: Cloud, owner: str, endpoint: SecureEndpoint) -> None:
    secret(ready, "a", "one")
    client = secret_client(endpoint, issue(owner, AUDIENCE, ready.clock.now.timestamp() + 60))
    assert client.get_secret("a").value == "one"
    ready.clock.advance(61)
    with pytest.raises(ClientAuthenticationError, match="expired"):
        client.get_secret("a")


def test_tokens_that_name_nobody_are_those_of_the_caller_or_refused(
    ready: Cloud, owner: str, endpoint: SecureEndpoint, tmp_path: Path
) -> None:
    secret(ready, "a", "one")
    with pytest.raises(ClientAuthenticationError):
        secret_client(endpoint, "rehearsal").get_secret("a")
    with serve_secrets(Vault(ready.manager, VAULT, caller=owner), tmp_path) as served:
        assert secret_client(served, "rehearsal").get_secret("a").value == "one"


def test_a_role_works_only_after_it_has_spread(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready)
    place, principal = secret(ready, "a", "one"), machine(ready)
    grant(ready, principal, SECRET_USER, place, works=False)
    client = secret_client(endpoint, principal)
    with pytest.raises(HttpResponseError, match="observe propagation time") as early:
        client.get_secret("a")
    assert refusal(early) == (403, "Forbidden", "ForbiddenByRbac")
    ready.clock.advance(PROPAGATION_SECONDS)
    assert client.get_secret("a").value == "one"


def test_refusals_can_move_the_clock_for_callers_that_wait_by_another_one(ready: Cloud, tmp_path: Path) -> None:
    open_vault(ready)
    place, principal = secret(ready, "a", "one"), machine(ready)
    grant(ready, principal, SECRET_USER, place, works=False)
    with serve_secrets(Vault(ready.manager, VAULT, seconds_per_refusal=100), tmp_path) as served:
        client, refused = secret_client(served, principal), 0
        for _ in range(9):
            try:
                client.get_secret("a")
                break
            except HttpResponseError:
                refused += 1
    assert refused == 3


def test_a_role_on_one_secret_says_nothing_of_another(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready)
    place, principal = secret(ready, "a"), machine(ready)
    secret(ready, "ab")
    grant(ready, principal, SECRET_USER, place)
    client = secret_client(endpoint, principal)
    client.get_secret("a")
    with pytest.raises(HttpResponseError) as other:
        client.get_secret("ab")
    assert refusal(other)[2] == "ForbiddenByRbac"


def test_a_publisher_sets_its_own_secret_and_can_do_nothing_else(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready)
    place, principal = secret(ready, "dev-kubeconfig"), machine(ready)
    publisher = role(ready, "publisher", dataActions=["Microsoft.KeyVault/vaults/secrets/setSecret/action"], actions=[])
    grant(ready, principal, publisher, place)
    client = secret_client(endpoint, principal)
    assert client.set_secret("dev-kubeconfig", "k").properties.version
    for forbidden in (
        lambda: client.get_secret("dev-kubeconfig"),
        lambda: client.begin_delete_secret("dev-kubeconfig"),
        lambda: client.update_secret_properties("dev-kubeconfig", enabled=False),
        lambda: list(client.list_properties_of_secrets()),
        lambda: client.set_secret("test-kubeconfig", "k"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            forbidden()
        assert refusal(refused) == (403, "Forbidden", "ForbiddenByRbac")


def test_a_reader_cannot_set(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready)
    place, principal = secret(ready, "dev-kubeconfig", "k"), machine(ready)
    grant(ready, principal, SECRET_USER, place)
    client = secret_client(endpoint, principal)
    assert client.get_secret("dev-kubeconfig").value == "k"
    with pytest.raises(HttpResponseError) as refused:
        client.set_secret("dev-kubeconfig", "mine")
    assert refusal(refused)[2] == "ForbiddenByRbac"
    assert [item.value for item in held(ready.manager, VAULT, "dev-kubeconfig")] == ["k"]


def test_reader_of_everything_reads_no_secret(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready)
    secret(ready, "a")
    principal = machine(ready)
    grant(ready, principal, "Reader", SUBSCRIPTION)
    with pytest.raises(HttpResponseError) as refused:
        secret_client(endpoint, principal).get_secret("a")
    assert refusal(refused)[2] == "ForbiddenByRbac"


def test_a_vault_without_rbac_refuses_everybody(ready: Cloud, tmp_path: Path) -> None:
    ready.vault(VAULT)
    principal = machine(ready)
    grant(ready, principal, SECRET_OFFICER, VAULT_ID)
    with serve_secrets(Vault(ready.manager, VAULT), tmp_path) as served, pytest.raises(HttpResponseError):
        secret_client(served, principal).set_secret("a", "one")


def test_an_absent_secret_is_named(owner: str, endpoint: SecureEndpoint) -> None:
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound") as absent:
        secret_client(endpoint, owner).get_secret("nothing-here")
    assert refusal(absent)[:2] == (404, "SecretNotFound")


def test_a_disabled_secret_is_not_given_and_can_be_enabled_again(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one")
    client.update_secret_properties("a", enabled=False)
    with pytest.raises(HttpResponseError) as disabled:
        client.get_secret("a")
    assert refusal(disabled) == (403, "Forbidden", "SecretDisabled")
    client.update_secret_properties("a", enabled=True)
    assert client.get_secret("a").value == "one"


def test_an_expired_secret_is_still_given(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one", expires_on=datetime(2020, 1, 1, tzinfo=UTC))
    assert client.get_secret("a").value == "one"


def test_a_deleted_secret_keeps_its_name_and_can_come_back(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one")
    client.begin_delete_secret("a").result()
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("a")
    with pytest.raises(HttpResponseError) as taken:
        client.set_secret("a", "two")
    assert refusal(taken) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert [item.name for item in client.list_deleted_secrets()] == ["a"]
    client.begin_recover_deleted_secret("a").result()
    assert client.get_secret("a").value == "one"


def test_a_purged_secret_frees_its_name(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    client.set_secret("a", "one")
    client.begin_delete_secret("a").result()
    client.purge_deleted_secret("a")
    assert client.set_secret("a", "two").value == "two"


def test_purge_protection_forbids_purging(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready, enablePurgeProtection=True)
    principal = machine(ready)
    grant(ready, principal, SECRET_OFFICER, VAULT_ID)
    client = secret_client(endpoint, principal)
    client.set_secret("a", "one")
    client.begin_delete_secret("a").result()
    with pytest.raises(HttpResponseError, match="purge protection"):
        client.purge_deleted_secret("a")


@pytest.mark.parametrize(
    ("subnet", "lets_in"), [(SUBNET_ID.upper(), True), (f"{SUBNET_ID}-other", False), ("", False)], ids=str
)
def test_the_firewall_lets_in_its_subnets_alone(ready: Cloud, tmp_path: Path, subnet: str, lets_in: bool) -> None:
    closed = {"defaultAction": "Deny", "bypass": "None", "ipRules": [], "virtualNetworkRules": [{"id": SUBNET_ID}]}
    open_vault(ready, networkAcls=closed)
    place, principal = secret(ready, "a", "one"), machine(ready)
    grant(ready, principal, SECRET_USER, place)
    with serve_secrets(Vault(ready.manager, VAULT, subnet=subnet), tmp_path) as served:
        client = secret_client(served, principal)
        if lets_in:
            assert client.get_secret("a").value == "one"
            return
        with pytest.raises(HttpResponseError, match="Client address is not authorized") as outside:
            client.get_secret("a")
    assert refusal(outside) == (403, "Forbidden", "ForbiddenByFirewall")


def test_a_vault_without_public_access_lets_nobody_in(ready: Cloud, endpoint: SecureEndpoint) -> None:
    open_vault(ready, publicNetworkAccess="Disabled")
    with pytest.raises(HttpResponseError) as outside:
        secret_client(endpoint, ELSEWHERE).get_secret("a")
    assert refusal(outside)[2] == "ForbiddenByConnection"


def test_nobody_answers_where_there_is_no_vault(endpoint: SecureEndpoint) -> None:
    with plain(endpoint) as http, pytest.raises(httpx.RemoteProtocolError):
        http.get("/secrets/a?api-version=7.4")


@pytest.mark.parametrize(
    ("method", "target", "body", "said"),
    [
        ("GET", "/secrets/a", None, "api-version must be specified"),
        ("GET", "/secrets/a?api-version=1.0", None, "not recognized"),
        ("GET", "/secrets/a_b?api-version=7.4", None, "URI"),
        ("PUT", "/secrets/a?api-version=7.4", {"content": "one"}, "value"),
        ("PUT", "/secrets/a?api-version=7.4", {"value": 7}, "value"),
        ("PUT", "/secrets/a?api-version=7.4", {"value": "x" * 25_601}, "25600"),
        ("PUT", "/secrets/a?api-version=7.4", ["one"], "JSON object"),
        ("PUT", "/secrets/a?api-version=7.4", {"value": "x", "tags": {f"t{n}": "" for n in range(16)}}, "15 tags"),
        ("POST", "/secrets/a/backup?api-version=7.4", None, "URI"),
    ],
)
def test_a_request_that_is_not_one_is_refused(
    owner: str, endpoint: SecureEndpoint, method: str, target: str, body: object, said: str
) -> None:
    with plain(endpoint) as http:
        answer = http.request(method, target, json=body, headers={"Authorization": f"Bearer {owner}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("version", ["7.4", "7.5", "7.6"])
def test_every_version_of_the_interface_that_machines_use_is_served(
    owner: str, endpoint: SecureEndpoint, version: str
) -> None:
    with plain(endpoint) as http:
        headers = {"Authorization": f"Bearer {owner}"}
        http.put(f"/secrets/a?api-version={version}", json={"value": "one"}, headers=headers)
        assert http.get(f"/secrets/a?api-version={version}", headers=headers).json()["value"] == "one"


def test_long_lists_come_in_pages(owner: str, endpoint: SecureEndpoint) -> None:
    client = secret_client(endpoint, owner)
    for number in range(27):
        client.set_secret(f"a-{number:02}", "one")
    assert [item.name for item in client.list_properties_of_secrets()] == [f"a-{number:02}" for number in range(27)]


def test_calls_are_in_the_journal_without_values(ready: Cloud, owner: str, endpoint: SecureEndpoint) -> None:
    secret_client(endpoint, owner).set_secret("a", "very-secret")
    calls = [item for item in ready.journal.calls if item.cloud == "vault"]
    assert [(item.operation, item.target, item.status) for item in calls][-1] == ("PUT", "/secrets/a", 200)
    assert "very-secret" not in str(calls)


def test_the_fault_plan_reaches_the_vault(tmp_path: Path) -> None:
    cloud = build(None, Fault(cloud="vault", status=503, code="ServiceUnavailable", times=1))
    cloud.group()
    open_vault(cloud)
    _, identity = cloud.identity()
    grant(cloud, identity["principalId"], SECRET_OFFICER, VAULT_ID)
    with serve_secrets(Vault(cloud.manager, VAULT), tmp_path) as served, plain(served) as http:
        headers = {"Authorization": f"Bearer {identity['principalId']}"}
        answers = [http.put("/secrets/a?api-version=7.4", json={"value": "one"}, headers=headers) for _ in range(2)]
    assert [item.status_code for item in answers] == [503, 200]


def test_the_key_of_the_certificate_is_readable_by_its_owner_alone(ready: Cloud, tmp_path: Path) -> None:
    with serve_secrets(Vault(ready.manager, VAULT), tmp_path):
        assert (tmp_path / f"{VAULT}.pem").stat().st_mode & 0o077 == 0
