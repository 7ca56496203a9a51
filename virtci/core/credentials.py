"""Recognises credentials in texts that are no place for them. Says what was found, never the value."""

import base64
import binascii
import gzip
import io
import re
import zlib
from collections.abc import Iterator

SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{40,}"),
    "a GitHub runner token": re.compile(r"--token\s+[A-Z0-9]{20,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a storage key": re.compile(r"\b(AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}"),
    "a shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%+/]{20,}"),
    "a key of a kubeconfig": re.compile(r"\b(client-key-data|id-token|refresh-token)\s*:\s*\S{8,}"),
    "a token of a kubeconfig": re.compile(r"^\s*token\s*:\s*\S{16,}", re.MULTILINE),
    "a k3s token": re.compile(r"\bK10[0-9a-f]{40,}::"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an Entra client secret": re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
    "a password": re.compile(r"(?i)\b(plain_text_passwd|hashed_passwd|passwd|password)\s*[:=]\s*[\"']?[^\s\"'{}]{4,}"),
}
ENCODED = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
LARGEST = 1024 * 1024


def credentials_in(content: str, depth: int = 2) -> Iterator[str]:
    """The kinds of credentials in a text, also inside base64 and gzip, as boot texts carry files."""
    for kind, shape in SHAPES.items():
        if shape.search(content):
            yield kind
    if depth:
        for run in ENCODED.findall(content):
            inner = decoded(run)
            if inner is not None:
                yield from credentials_in(readable(inner), depth - 1)


def decoded(encoded: str) -> bytes | None:
    """The bytes of a base64 text, or nothing when it is none."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def readable(content: bytes) -> str:
    """The text of some bytes, unpacked when they are packed."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST)
        except (OSError, EOFError, zlib.error):
            return ""
    return content.decode("utf-8", errors="replace")
