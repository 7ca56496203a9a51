"""The certificates of one rehearsed cluster: an authority, the server, the administrator, and the key of its tokens."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=2)
"""Longer than any rehearsal; a clock that is a day behind is no trouble either."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """Signs the certificates of one cluster."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str) -> "Authority":
        """A new authority that nothing outside the cluster trusts."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(subject, subject, key.public_key()).add_extension(constraints, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(builder.sign(key, SHA256()), key)

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def server(self, names: tuple[str, ...], *addresses: str) -> Pair:
        """A certificate for a server with these DNS names and IP addresses."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])]
        return self._sign(subject, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(alternatives))

    def client(self, user: str, group: str) -> Pair:
        """A certificate that Kubernetes takes for a user in a group."""
        subject = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, group),
            x509.NameAttribute(NameOID.COMMON_NAME, user),
        ]
        return self._sign(subject, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _sign(
        self, subject: list[x509.NameAttribute[str]], usage: x509.ObjectIdentifier, *more: x509.ExtensionType
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(x509.Name(subject), self.certificate.subject, key.public_key())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        for extension in (x509.ExtendedKeyUsage([usage]), signer, *more):
            builder = builder.add_extension(extension, critical=False)
        return Pair(builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM).decode(), _pem(key))


def signing_key() -> str:
    """A private key for the tokens of service accounts, as PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    # The API server takes the key of its tokens in this form only.
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
