"""The simulated Pulumi provider `tls`: real keys, made on this machine, with nothing to call."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jsonschema import Draft202012Validator
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import Change, Failure, Values, is_unknown
from virtci.rehearsal.journal import CloudError

Key = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

KIND = "tls:index/privateKey:PrivateKey"
CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
MAKERS: Mapping[str, Callable[[Values], Key]] = {
    "ED25519": lambda _: ed25519.Ed25519PrivateKey.generate(),
    "RSA": lambda inputs: rsa.generate_private_key(public_exponent=65_537, key_size=inputs["rsaBits"]),
    "ECDSA": lambda inputs: ec.generate_private_key(CURVES[inputs["ecdsaCurve"]]()),
}
INPUTS: Mapping[str, Mapping[str, Any]] = {
    "algorithm": {"type": "string", "enum": list(MAKERS)},
    "ecdsaCurve": {"type": "string", "enum": list(CURVES)},
    "rsaBits": {"type": "integer", "minimum": 1_024},
}
DEFAULTS: Values = {"ecdsaCurve": "P224", "rsaBits": 2_048}
COMPUTED = (
    "privateKeyOpenssh",
    "privateKeyPem",
    "privateKeyPemPkcs8",
    "publicKeyFingerprintMd5",
    "publicKeyFingerprintSha256",
    "publicKeyOpenssh",
    "publicKeyPem",
)


@dataclass
class Tls:
    """Implements `bridge.Provider` for private keys.

    The outputs hold the private key in the clear, as the real provider's do: the SDK declares them as
    secret, so the engine encrypts them before they reach the state.
    """

    package: str = "tls"
    delete_before_replace: bool = False

    def configure(self, variables: Mapping[str, str]) -> None:
        """Making keys needs no configuration."""

    def check(self, kind: str, inputs: Values) -> list[Failure]:
        """Refuses unknown, missing and ill-typed inputs."""
        _known(kind)
        found = [Failure(name, f'Unsupported argument "{name}"') for name in sorted(inputs.keys() - INPUTS.keys())]
        if inputs.get("algorithm") is None:
            found.append(Failure("algorithm", 'The argument "algorithm" is required'))
        return found + [failure for name in sorted(inputs.keys() & INPUTS.keys()) for failure in _wrong(name, inputs)]

    def replaces(self, kind: str, _change: Change) -> bool:
        """A key with other properties is another key."""
        _known(kind)
        return True

    def preview(self, kind: str, inputs: Values, state: Values | None) -> Values:
        """A key is not known before it is made."""
        _known(kind)
        return {**dict.fromkeys(COMPUTED, UNKNOWN), **(state or {}), **DEFAULTS, **inputs}

    def create(self, kind: str, inputs: Values) -> tuple[str, Values]:
        """Makes a key."""
        _known(kind)
        complete = {**DEFAULTS, **inputs}
        key = MAKERS[complete["algorithm"]](complete)
        identity = hashlib.sha1(_public_der(key), usedforsecurity=False).hexdigest()
        return identity, {**complete, **_private(key), **_public(key)}

    def read(self, kind: str, _resource_id: str, _inputs: Values, state: Values) -> Values | None:
        """A key lives in the state only."""
        _known(kind)
        return state or None

    def update(self, kind: str, _resource_id: str, inputs: Values, state: Values) -> Values:
        """Every change replaces, so an update can only confirm the key."""
        _known(kind)
        return {**state, **DEFAULTS, **inputs}

    def delete(self, kind: str, _resource_id: str, _state: Values) -> None:
        """Forgetting the state is all."""
        _known(kind)

    def invoke(self, token: str, _arguments: Values) -> Values:
        """The rehearsal needs no function of this provider."""
        raise CloudError(404, "UnknownFunction", f"The rehearsal does not know the function {token}.")

    def settable(self, kind: str, outputs: Values) -> Values:
        """The outputs that are inputs as well."""
        _known(kind)
        return {name: value for name, value in outputs.items() if name in INPUTS}


def _known(kind: str) -> None:
    if kind != KIND:
        raise CloudError(404, "UnknownResource", f"The rehearsal does not know the resource type {kind}.")


def _wrong(name: str, inputs: Values) -> list[Failure]:
    if inputs[name] is None or is_unknown(inputs[name]):
        return []
    errors = Draft202012Validator(INPUTS[name]).iter_errors(inputs[name])
    return [Failure(name, f"the value breaks the rule {error.validator}: {error.validator_value}") for error in errors]


def _private(key: Key) -> Values:
    # Ed25519 has no form of its own before PKCS#8.
    is_young = isinstance(key, ed25519.Ed25519PrivateKey)
    return {
        "privateKeyPem": _private_text(key, PrivateFormat.PKCS8 if is_young else PrivateFormat.TraditionalOpenSSL),
        "privateKeyPemPkcs8": _private_text(key, PrivateFormat.PKCS8),
        "privateKeyOpenssh": _private_text(key, PrivateFormat.OpenSSH) if _speaks_ssh(key) else "",
    }


def _private_text(key: Key, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _public(key: Key) -> Values:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    if not _speaks_ssh(key):
        absent = ("publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256")
        return {"publicKeyPem": pem, **dict.fromkeys(absent, "")}
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        "publicKeyPem": pem,
        "publicKeyOpenssh": line + "\n",
        "publicKeyFingerprintMd5": hashlib.md5(blob, usedforsecurity=False).digest().hex(":"),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }


def _public_der(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _speaks_ssh(key: Key) -> bool:
    """OpenSSH has no name for the curve P-224; the real provider leaves those outputs empty."""
    try:
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (UnsupportedAlgorithm, ValueError):
        return False
    return True
