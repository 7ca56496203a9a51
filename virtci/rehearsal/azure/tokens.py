"""Access tokens of the simulated Entra: opaque to their bearers, signed with a key that only this process has.

A bare object id is a token too: it stands for that principal everywhere, for clients that bring no login of their own.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets

_KEY = secrets.token_bytes(32)
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FORM = re.compile(r"[\w-]+\.[\w-]+")


class TokenError(Exception):
    """A token that the service does not take; the message says why."""


def issue(principal: str, audience: str, expires: float) -> str:
    """A token for a principal and one service; `expires` is in seconds since 1970 of the simulated clock."""
    claims = json.dumps({"oid": principal, "aud": audience, "exp": expires}).encode()
    body = _text(claims)
    return f"{body}.{_signature(body)}"


def holder(token: str, audiences: tuple[str, ...], now: float) -> str:
    """The principal of a token, or nothing for one that was not made here. Raises `TokenError` for one that is not valid."""
    if _OBJECT_ID.fullmatch(token):
        return token.lower()
    if not _FORM.fullmatch(token):
        return ""
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(signature, _signature(body)):
        return ""
    claims = json.loads(_bytes(body))
    if now >= claims["exp"]:
        raise TokenError("the token has expired")
    if claims["aud"].rstrip("/") not in {item.rstrip("/") for item in audiences}:
        raise TokenError(f"the audience is {claims['aud']}")
    return str(claims["oid"])


def _signature(body: str) -> str:
    return _text(hmac.new(_KEY, body.encode(), hashlib.sha256).digest())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
