"""Roles of managed identities on Resource Manager, through its HTTP face."""

import re
from collections.abc import Iterator

import httpx
import pytest

from components.roles import BOOT_TAGGER, DELEGATED_ROLES, POWER_ACTIONS, POWER_OPERATOR, TAG_ACTIONS
from tests.core.test_tables import roles_in_components
from tests.rehearsal.azure.machines import (
    MACHINE_ID,
    SUBNET_ID,
    VAULT_ID,
    grant,
    machine,
    open_vault,
    patched_tags,
    role,
    secret,
)
from tests.rehearsal.azure.simulated import GROUP, OLD_PRINCIPAL, SUBSCRIPTION, Cloud
from virtci.core.tables import table
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS, needed
from virtci.rehearsal.azure.metadata import Metadata, serve_metadata
from virtci.rehearsal.azure.server import handler, listen, serve
from virtci.rehearsal.azure.tokens import TokenError, holder, issue

TAGS = f"{MACHINE_ID}/providers/Microsoft.Resources/tags/default"
MANAGEMENT = "https://management.azure.com/"


@pytest.fixture
def http(ready: Cloud) -> Iterator[httpx.Client]:
    with serve(ready.manager) as endpoint, httpx.Client(base_url=endpoint.url, trust_env=False) as client:
        yield client


@pytest.fixture
def tagger(ready: Cloud) -> str:
    """The identity of a machine that may tag itself."""
    principal = machine(ready)
    grant(ready, principal, role(ready, BOOT_TAGGER, actions=list(TAG_ACTIONS)), MACHINE_ID)
    return principal


def asked(http: httpx.Client, principal: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {principal}"} if principal else {}
    answer = http.request(method, path, json=body, headers=headers)
    error = answer.json().get("error", {}) if answer.content else {}
    return answer.status_code, error.get("code", "")


def test_a_machine_tags_itself_with_the_token_of_its_metadata_service(
    ready: Cloud, tagger: str, http: httpx.Client
) -> None:
    with serve_metadata(Metadata(ready.manager, MACHINE_ID)) as endpoint:
        target = f"{endpoint.url}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={MANAGEMENT}"
        token = httpx.get(target, headers={"Metadata": "true"}, trust_env=False).json()["access_token"]
    assert holder(token, (MANAGEMENT,), ready.clock.now.timestamp()) == tagger
    ready.manager.request("PATCH", MACHINE_ID, {"tags": {"owner": "ci"}})
    assert asked(http, token, "PATCH", TAGS, patched_tags(bootstage="ready")) == (200, "")
    assert ready.get(MACHINE_ID)["tags"] == {"owner": "ci", "bootstage": "ready"}


def test_a_tagger_can_do_nothing_else(ready: Cloud, tagger: str, http: httpx.Client) -> None:
    other = ready.machine("other")[0]
    for method, path, body in (
        ("GET", MACHINE_ID, None),
        ("PATCH", MACHINE_ID, {"tags": {}}),
        ("POST", f"{MACHINE_ID}/deallocate", None),
        ("DELETE", MACHINE_ID, None),
        ("PATCH", f"{other}/providers/Microsoft.Resources/tags/default", patched_tags(bootstage="ready")),
        ("GET", f"{SUBSCRIPTION}/resourceGroups/rg", None),
        ("PUT", f"{SUBSCRIPTION}/resourceGroups/mine", {"location": "westus"}),
    ):
        assert asked(http, tagger, method, path, body) == (403, "AuthorizationFailed"), (method, path)
    assert ready.exists(MACHINE_ID)


def test_a_power_operator_starts_and_stops_and_changes_nothing(ready: Cloud, http: httpx.Client) -> None:
    machine(ready)
    _, operator = ready.identity("environment")
    who = operator["principalId"]
    grant(ready, who, role(ready, POWER_OPERATOR, actions=list(POWER_ACTIONS)), MACHINE_ID)
    for method, path in (
        ("GET", MACHINE_ID),
        ("GET", f"{MACHINE_ID}/instanceView"),
        ("POST", f"{MACHINE_ID}/deallocate"),
        ("POST", f"{MACHINE_ID}/start"),
    ):
        assert asked(http, who, method, path) == (200, ""), (method, path)
    assert asked(http, who, "DELETE", MACHINE_ID) == (403, "AuthorizationFailed")
    assert asked(http, who, "PATCH", TAGS, patched_tags(a="b")) == (403, "AuthorizationFailed")


def test_the_refusal_names_who_what_and_where(ready: Cloud, http: httpx.Client) -> None:
    principal = machine(ready)
    answer = http.get(MACHINE_ID, headers={"Authorization": f"Bearer {principal}"}).json()["error"]["message"]
    assert f"object id '{principal}'" in answer
    assert f"'Microsoft.Compute/virtualMachines/read' over scope '{MACHINE_ID}'" in answer


def test_what_is_not_there_is_refused_like_what_is(tagger: str, http: httpx.Client) -> None:
    assert asked(http, tagger, "GET", f"{MACHINE_ID}-absent") == (403, "AuthorizationFailed")


def test_an_assignment_needs_time(ready: Cloud, http: httpx.Client) -> None:
    principal = machine(ready)
    grant(ready, principal, "Reader", GROUP, works=False)
    assert asked(http, principal, "GET", MACHINE_ID) == (403, "AuthorizationFailed")
    ready.clock.advance(PROPAGATION_SECONDS)
    assert asked(http, principal, "GET", MACHINE_ID) == (200, "")


def test_refusals_can_move_the_clock(ready: Cloud) -> None:
    principal = machine(ready)
    grant(ready, principal, "Reader", GROUP, works=False)
    hurried = handler(ready.manager, seconds_per_refusal=PROPAGATION_SECONDS)
    with listen(hurried) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert [asked(client, principal, "GET", MACHINE_ID)[0] for _ in range(2)] == [403, 200]


def test_a_role_without_its_assignment_is_over(ready: Cloud, http: httpx.Client) -> None:
    principal = machine(ready)
    grant(ready, principal, "Reader", GROUP)
    assignment = next(item for item in ready.manager.remaining() if "roleAssignments" in item)
    ready.delete(assignment)
    assert asked(http, principal, "GET", MACHINE_ID) == (403, "AuthorizationFailed")


def test_what_a_role_excludes_is_excluded_from_that_role_alone(ready: Cloud, http: httpx.Client) -> None:
    principal = machine(ready)
    kinds = "Microsoft.Compute/virtualMachines"
    grant(ready, principal, role(ready, "most", actions=[f"{kinds}/*"], notActions=[f"{kinds}/delete"]), GROUP)
    assert asked(http, principal, "POST", f"{MACHINE_ID}/start") == (200, "")
    assert asked(http, principal, "DELETE", MACHINE_ID) == (403, "AuthorizationFailed")
    grant(ready, principal, role(ready, "rest", actions=[f"{kinds}/DELETE"]), GROUP)
    assert asked(http, principal, "DELETE", MACHINE_ID) == (200, "")


def test_reading_everything_shows_no_value_of_a_secret(ready: Cloud, http: httpx.Client) -> None:
    open_vault(ready)
    principal, place = machine(ready), secret(ready, "a", "very-secret")
    grant(ready, principal, "Reader", SUBSCRIPTION)
    answer = http.get(place, headers={"Authorization": f"Bearer {principal}"})
    assert answer.status_code == 200
    assert "very-secret" not in answer.text


@pytest.mark.parametrize("token", ["rehearsal", OLD_PRINCIPAL, ""])
def test_whoever_is_no_managed_identity_of_the_project_is_not_judged(
    ready: Cloud, http: httpx.Client, token: str
) -> None:
    machine(ready)
    assert asked(http, token, "GET", MACHINE_ID) == (200, "")


def test_a_token_for_the_vault_is_refused(ready: Cloud, tagger: str, http: httpx.Client) -> None:
    token = issue(tagger, "https://vault.azure.net", ready.clock.now.timestamp() + 60)
    assert asked(http, token, "GET", MACHINE_ID) == (401, "InvalidAuthenticationToken")


def test_a_forged_token_names_nobody(ready: Cloud) -> None:
    machine(ready)
    token = issue(OLD_PRINCIPAL, MANAGEMENT, 60)
    body, _, signature = token.partition(".")
    assert holder(f"{body}.{signature[::-1]}", (MANAGEMENT,), 0) == ""
    assert holder(token, (MANAGEMENT,), 59) == OLD_PRINCIPAL
    with pytest.raises(TokenError, match="expired"):
        holder(token, (MANAGEMENT,), 60)


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", SUBSCRIPTION, "Microsoft.Resources/subscriptions/read", SUBSCRIPTION),
        ("PUT", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP),
        ("GET", f"{GROUP}/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", GROUP),
        ("GET", f"{SUBSCRIPTION}/providers", "Microsoft.Resources/subscriptions/providers/read", SUBSCRIPTION),
        ("HEAD", MACHINE_ID, "Microsoft.Compute/virtualMachines/read", MACHINE_ID),
        ("POST", f"{MACHINE_ID}/start", "Microsoft.Compute/virtualMachines/start/action", MACHINE_ID),
        ("GET", f"{MACHINE_ID}/instanceView", "Microsoft.Compute/virtualMachines/instanceView/read", MACHINE_ID),
        ("PATCH", TAGS, "Microsoft.Resources/tags/write", MACHINE_ID),
        ("PUT", f"{VAULT_ID}/secrets/a", "Microsoft.KeyVault/vaults/secrets/write", f"{VAULT_ID}/secrets/a"),
        (
            "POST",
            f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/checkNameAvailability",
            "Microsoft.KeyVault/checkNameAvailability/read",
            SUBSCRIPTION,
        ),
        (
            "POST",
            f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westus/deletedVaults/kv/purge",
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westus/deletedVaults/kv",
        ),
    ],
)
def test_every_request_is_an_action_at_a_scope(method: str, path: str, action: str, scope: str) -> None:
    assert needed(method, path) == (action, scope)


def test_the_permissions_of_every_role_that_the_project_gives_are_known() -> None:
    known = table("role-permissions")["roles"]
    assert {*DELEGATED_ROLES, *roles_in_components()} <= known.keys() <= table("roles")["roles"].keys()
    actions = [item for row in known.values() for items in row.values() for item in items]
    assert all(item == "*" or re.fullmatch(r"(\*|Microsoft\.\w+)(/[\w*]+)+", item) for item in actions)


def test_who_writes_something_needs_a_right_on_what_it_refers_to(ready: Cloud) -> None:
    _, identity = ready.identity("launcher")
    principal, interfaces = str(identity["principalId"]), f"{GROUP}/providers/Microsoft.Network/networkInterfaces"
    grant(ready, principal, role(ready, "interfaces", actions=["Microsoft.Network/networkInterfaces/*"]), GROUP)
    configuration = {"name": "ip", "properties": {"subnet": {"id": SUBNET_ID}}}
    body = {"location": "westus", "properties": {"ipConfigurations": [configuration]}}

    refused = ready.manager.request("PUT", f"{interfaces}/a", body, principal)
    error = (refused.body or {})["error"]
    assert (refused.status, error["code"]) == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.Network/virtualNetworks/subnets/join/action'" in error["message"]

    join = role(ready, "join", actions=["Microsoft.Network/virtualNetworks/subnets/join/action"])
    grant(ready, principal, join, SUBNET_ID)
    assert ready.manager.request("PUT", f"{interfaces}/a", body, principal).status == 201
