"""What the rules share: plain values, one form of violations, credentials, packets."""

import base64
import gzip
from ipaddress import IPv4Network
from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, unknown_checking_proxy

from policies.common import Fault, at, each, must_be, plain, shown, text
from policies.kinds import SECURITY_GROUP
from policies.packets import PLATFORM_DEFAULT, admits, rules_of
from tests.policies.good import encoded
from tests.policies.harness import UNKNOWN as SENT
from virtci.core.credentials import credentials_in
from virtci.core.inventory import UNKNOWN, Resource

DEV, TEST = IPv4Network("10.60.1.0/24"), IPv4Network("10.60.2.0/24")


def test_plain_values_have_no_proxy_no_float_and_a_mark_for_what_is_unknown() -> None:
    sent = {"a": 3.0, "b": 2.5, "c": [SENT, {"d": UNKNOWN_NUMBER_VALUE, "e": True}], "f": None, "g": "text"}
    assert plain(unknown_checking_proxy(sent)) == {
        "a": 3,
        "b": 2.5,
        "c": [UNKNOWN, {"d": UNKNOWN, "e": True}],
        "f": None,
        "g": "text",
    }


def test_a_secret_that_is_not_shown_is_unknown() -> None:
    assert plain({"a": ["[secret]"]}) == {"a": [UNKNOWN]}


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b", 1), ("a.x", None), ("x.y.z", None), ("u", UNKNOWN), ("u.v.w", UNKNOWN), ("a.b.c", None)],
)
def test_a_value_is_found_absent_or_unknown(path: str, value: Any) -> None:
    assert at({"a": {"b": 1}, "u": UNKNOWN}, path) is value


def test_an_unknown_list_has_an_unknown_item() -> None:
    assert each({"a": UNKNOWN}, "a") == [UNKNOWN]
    assert each({"a": [1, 2]}, "a") == [1, 2]
    assert each({}, "a") == []


def test_true_is_not_one() -> None:
    assert list(must_be({"a": 1}, "a", [True], "fix"))
    assert not list(must_be({"a": True}, "a", [True], "fix"))


def test_a_violation_names_resource_value_rule_and_fix() -> None:
    (fault,) = must_be({"a": {"b": False}}, "a.b", [True, None], "set it", "pool.")
    assert text(fault, "it") == "it: pool.a.b is false; rule: pool.a.b is true or absent; fix: set it"
    assert text(Fault("seen", "limit", "do"), "stack") == "stack: seen; rule: limit; fix: do"


@pytest.mark.parametrize(
    ("value", "words"), [(None, "absent"), (UNKNOWN, "not known before the deployment"), (True, "true"), (1, "`1`")]
)
def test_values_are_shown_as_people_write_them(value: object, words: str) -> None:
    assert shown(value) == words


SECRETS = {
    "a private key": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "a GitHub token": "github_" + "pat_" + "11ABCDEFG0" * 5,
    "a GitHub runner token": "./config.sh --token " + "ABCDEFGHIJ1234567890KLMNOPQRS",
    "a JSON web token": "eyJ" + "hbGciOiJSUzI1NiJ9" + ".eyJ" + "zdWIiOiJ0ZXN0In0" + ".c2lnbmF0dXJlLW9mLWl0",
    "a storage key": "AccountName=x;AccountKey=" + "Zm9v" * 10,
    "a shared access signature": "https://x.blob.example/c?sv=1&sig=" + "abcDEF123%2B" * 3,
    "a key of a kubeconfig": "client-key-data: " + "LS0tLS1CRUdJTi",
    "a token of a kubeconfig": "    token: " + "0123456789abcdef0123",
    "a k3s token": "K10" + "ab12" * 12 + "::server:x",
    "an AWS key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "an Entra client secret": "abc8Q~" + "abcdefghijklmnopqrstuvwxyz0123456",
    "a password": "plain_text_passwd: hunter22",
}
HARMLESS = [
    "#cloud-config\nssh_pwauth: false\nlock_passwd: true\n", "KUBECONFIG_SECRET=dev-kubeconfig", "(l1hv-new && !sig-compute-migrations)",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKXlPqV0lDp3DPLDSpOl", "00000000-0000-0000-0000-0000000000a1", "password: {{ fetched }}",
]  # fmt: skip


@pytest.mark.parametrize("kind", SECRETS)
def test_credentials_are_found(kind: str) -> None:
    assert kind in set(credentials_in(SECRETS[kind]))


@pytest.mark.parametrize("kind", ["a private key", "a GitHub token"])
def test_credentials_are_found_in_files_of_a_boot_text(kind: str) -> None:
    content = SECRETS[kind] + " and more text so that it is long enough"
    packed = base64.b64encode(gzip.compress(content.encode())).decode()
    assert kind in set(credentials_in(f"write_files:\n- content: {encoded(content)}"))
    assert kind in set(credentials_in(f"write_files:\n- encoding: gz+b64\n  content: {packed}"))


@pytest.mark.parametrize("content", HARMLESS)
def test_other_texts_are_left_alone(content: str) -> None:
    assert list(credentials_in(content)) == []


def rule(name: str, priority: Any, access: str, **more: Any) -> dict[str, Any]:
    """An outbound rule for everything, unless told otherwise."""
    return {
        "name": name, "priority": priority, "access": access, "direction": "Outbound", "protocol": "*", "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "*", **more,
    }  # fmt: skip


ALLOW, DENY = rule("allow", 200, "Allow"), rule("deny", 100, "Deny")
PACKETS: list[tuple[str, list[dict[str, Any]], str | None]] = [
    ("without rules the platform decides", [], PLATFORM_DEFAULT),
    ("the lower number wins", [ALLOW, DENY], None),
    ("also the other way round", [rule("allow", 50, "Allow"), DENY], "allow"),
    ("a denial of a part shields nothing", [{**DENY, "destinationPortRange": "22"}, ALLOW], "allow"),
    ("a denial of one protocol shields nothing", [{**DENY, "protocol": "Tcp"}, ALLOW], "allow"),
    ("a denial of the network covers its subnets", [{**DENY, "destinationAddressPrefix": "VirtualNetwork"}, ALLOW], None),
    ("a wider range covers a narrower one", [{**DENY, "destinationAddressPrefix": "10.60.0.0/16"}, ALLOW], None),
    ("a narrower range does not", [{**DENY, "destinationAddressPrefix": "10.60.2.0/25"}, ALLOW], "allow"),
    ("an allowance for one address is one", [{**ALLOW, "destinationAddressPrefix": "10.60.2.4"}, {**DENY, "priority": 300}], "allow"),
    ("one for others is none", [{**ALLOW, "destinationAddressPrefix": "10.60.3.0/24"}, {**DENY, "priority": 300}], None),
    ("one of several ranges is enough", [
        {**ALLOW, "destinationAddressPrefix": None, "destinationAddressPrefixes": ["10.9.0.0/16", "10.60.2.0/24"]}], "allow"),
    ("the Internet is not inside", [{**ALLOW, "destinationAddressPrefix": "Internet"}, {**DENY, "priority": 300}], None),
    ("other directions do not count", [{**ALLOW, "direction": "Inbound"}, {**DENY, "priority": 300}], None),
    ("an unknown priority is the worst one", [{**ALLOW, "priority": UNKNOWN}, DENY], "allow"),
    ("an unknown denial denies nothing", [{**DENY, "access": UNKNOWN}], "deny"),
    ("an unknown target of a denial covers nothing", [{**DENY, "destinationAddressPrefix": UNKNOWN}, ALLOW], "allow"),
    ("an application group covers nothing", [{**DENY, "destinationAddressPrefix": None,
                                              "destinationApplicationSecurityGroups": [{"id": "x"}]}, ALLOW], "allow"),
    ("a preview shows the other form as unknown", [{**DENY, "destinationAddressPrefixes": UNKNOWN, "destinationPortRanges": UNKNOWN}], None),
]  # fmt: skip


@pytest.mark.parametrize(("title", "rules", "by"), PACKETS, ids=[title for title, _, _ in PACKETS])
def test_packets_pass_as_on_the_platform(title: str, rules: list[dict[str, Any]], by: str | None) -> None:
    group = Resource("group", SECURITY_GROUP, {"securityRules": rules})
    assert admits(rules_of(group), "Outbound", DEV, TEST) == by, title
