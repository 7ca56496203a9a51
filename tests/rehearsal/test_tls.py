"""The simulated `tls` provider: real keys in every form that the real provider gives."""

import inspect
import re

import pulumi_tls
import pytest
from cryptography.hazmat.primitives import serialization
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import Change, Values
from virtci.rehearsal.journal import CloudError
from virtci.rehearsal.tls import COMPUTED, INPUTS, KIND, Tls

ED25519: Values = {"algorithm": "ED25519"}
SSH_KEYS: list[tuple[Values, str]] = [
    (ED25519, "ssh-ed25519"),
    ({"algorithm": "RSA", "rsaBits": 1_024}, "ssh-rsa"),
    ({"algorithm": "ECDSA", "ecdsaCurve": "P256"}, "ecdsa-sha2-nistp256"),
    ({"algorithm": "ECDSA", "ecdsaCurve": "P384"}, "ecdsa-sha2-nistp384"),
    ({"algorithm": "ECDSA", "ecdsaCurve": "P521"}, "ecdsa-sha2-nistp521"),
]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.fixture
def tls() -> Tls:
    provider = Tls()
    provider.configure({})
    return provider


@pytest.mark.parametrize(("inputs", "kind"), SSH_KEYS)
def test_all_forms_are_of_one_key(tls: Tls, inputs: Values, kind: str) -> None:
    _, key = tls.create(KIND, inputs)
    assert key["publicKeyOpenssh"].startswith(f"{kind} ")
    assert key["publicKeyOpenssh"].endswith("\n")
    private = [
        serialization.load_pem_private_key(key["privateKeyPem"].encode(), None),
        serialization.load_pem_private_key(key["privateKeyPemPkcs8"].encode(), None),
        serialization.load_ssh_private_key(key["privateKeyOpenssh"].encode(), None),
    ]
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = {item.public_key().public_bytes(serialization.Encoding.PEM, form).decode() for item in private}
    assert public == {key["publicKeyPem"]}
    assert re.fullmatch(r"([0-9a-f]{2}:){15}[0-9a-f]{2}", key["publicKeyFingerprintMd5"])
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", key["publicKeyFingerprintSha256"])


@pytest.mark.parametrize(
    ("inputs", "label"),
    [(ED25519, "PRIVATE KEY"), ({"algorithm": "RSA"}, "RSA PRIVATE KEY"), ({"algorithm": "ECDSA"}, "EC PRIVATE KEY")],
)
def test_the_pem_form_is_the_traditional_one_of_the_algorithm(tls: Tls, inputs: Values, label: str) -> None:
    _, key = tls.create(KIND, inputs)
    assert key["privateKeyPem"].startswith(f"-----BEGIN {label}-----")


def test_a_curve_that_ssh_does_not_know_has_no_ssh_forms(tls: Tls) -> None:
    _, key = tls.create(KIND, {"algorithm": "ECDSA"})
    assert key["ecdsaCurve"] == "P224"
    assert {name for name in COMPUTED if not key[name]} == {
        "privateKeyOpenssh",
        "publicKeyFingerprintMd5",
        "publicKeyFingerprintSha256",
        "publicKeyOpenssh",
    }


def test_every_key_is_another_one(tls: Tls) -> None:
    first, second = tls.create(KIND, ED25519), tls.create(KIND, ED25519)
    assert first[0] != second[0]
    assert first[1]["publicKeyOpenssh"] != second[1]["publicKeyOpenssh"]


def test_a_preview_does_not_know_the_key(tls: Tls) -> None:
    preview = tls.preview(KIND, ED25519, None)
    assert {name for name, value in preview.items() if value == UNKNOWN} == set(COMPUTED)
    assert preview["rsaBits"] == 2_048


def test_a_key_lives_in_the_state(tls: Tls) -> None:
    identity, key = tls.create(KIND, ED25519)
    assert tls.read(KIND, identity, ED25519, key) == key
    assert tls.preview(KIND, ED25519, key) == key
    assert tls.update(KIND, identity, ED25519, key) == key
    tls.delete(KIND, identity, key)


@pytest.mark.parametrize("name", INPUTS)
def test_every_change_makes_another_key(tls: Tls, name: str) -> None:
    assert tls.replaces(KIND, Change(name, "update"))


@pytest.mark.parametrize(
    ("inputs", "property_"),
    [
        ({}, "algorithm"),
        ({"algorithm": "DSA"}, "algorithm"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P100"}, "ecdsaCurve"),
        ({"algorithm": "RSA", "rsaBits": "2048"}, "rsaBits"),
        ({"algorithm": "RSA", "rsaBits": 512}, "rsaBits"),
        ({**ED25519, "comment": "x"}, "comment"),
    ],
)
def test_wrong_inputs_are_refused(tls: Tls, inputs: Values, property_: str) -> None:
    assert [failure.property for failure in tls.check(KIND, inputs)] == [property_]


def test_right_and_unknown_inputs_pass(tls: Tls) -> None:
    assert tls.check(KIND, ED25519) == []
    assert tls.check(KIND, {"algorithm": UNKNOWN}) == []


def test_the_tables_are_the_sdk_s_and_private_forms_are_secret_there() -> None:
    assert set(INPUTS) == {camel(name) for name in inspect.signature(pulumi_tls.PrivateKeyArgs).parameters}
    properties = {name for name, value in vars(pulumi_tls.PrivateKey).items() if isinstance(value, property)}
    assert set(INPUTS) | set(COMPUTED) == {camel(name) for name in properties}
    assert pulumi_tls.PrivateKey.pulumi_type == KIND
    source = inspect.getsource(pulumi_tls.PrivateKey)
    assert 'additional_secret_outputs=["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"]' in source


def test_what_a_refresh_may_write_are_the_inputs(tls: Tls) -> None:
    _, outputs = tls.create(KIND, ED25519)
    assert tls.settable(KIND, outputs).keys() == INPUTS.keys()


def test_nothing_else_is_known(tls: Tls) -> None:
    with pytest.raises(CloudError, match="resource type"):
        tls.create("tls:index/selfSignedCert:SelfSignedCert", {})
    with pytest.raises(CloudError, match="function"):
        tls.invoke("tls:index/getCertificate:getCertificate", {})
