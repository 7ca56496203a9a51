"""Whether a kubeconfig can be used: it is one, it names a cluster, and its credential has not run out.

Nothing here repeats a credential.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from virtci.core.problems import Problem

VARIABLE = "KUBECONFIG"
NOTHING_DONE = "nothing can be read from the cluster or changed in it"


def kubeconfig_problems(path: str | None, environment: str, now: datetime) -> list[Problem]:
    """Why the kubeconfig at the path in `KUBECONFIG` is of no use for an environment; empty when it is."""
    fetch = f"virtci kubeconfig {environment} --to FILE, then name FILE in {VARIABLE}"
    if not path:
        return [Problem(VARIABLE, None, "the path of the cluster's kubeconfig", NOTHING_DONE, fetch)]
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return [Problem(VARIABLE, path, f"the path of one readable kubeconfig ({reason})", NOTHING_DONE, fetch)]
    except (yaml.YAMLError, UnicodeDecodeError):
        return [Problem(VARIABLE, path, "a kubeconfig is YAML", NOTHING_DONE, fetch)]
    user = current_user(content)
    if user is None:
        rule = "a kubeconfig names a cluster, a user and the current context that joins them"
        return [Problem(VARIABLE, path, rule, NOTHING_DONE, fetch)]
    expiry = expires(user)
    if expiry is not None and expiry <= now:
        return [
            Problem(
                VARIABLE, path, f"a credential that is valid; this one ran out on {expiry:%Y-%m-%d at %H:%M} UTC",
                "the cluster answers every request with 401",
                f"fetch it again; if the vault's is as old: virtci rotate kubeconfig {environment}",
            )
        ]  # fmt: skip
    return []


def current_user(content: object) -> Mapping[str, Any] | None:
    """The user of the current context; nothing where context, cluster or user are missing."""
    if not isinstance(content, Mapping):
        return None
    context = _named(content, "contexts", "context", content.get("current-context"))
    cluster = _named(content, "clusters", "cluster", context.get("cluster") if context else None)
    user = _named(content, "users", "user", context.get("user") if context else None)
    return user if cluster and cluster.get("server") else None


def expires(user: Mapping[str, Any]) -> datetime | None:
    """When the token of a user runs out; nothing where there is none, or none that says so.

    The signature is not looked at: the API server does that.
    """
    parts = str(user.get("token", "")).split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return None


def _named(content: Mapping[str, Any], group: str, kind: str, name: object) -> Mapping[str, Any] | None:
    for entry in content.get(group) or ():
        if isinstance(entry, Mapping) and name and entry.get("name") == name and isinstance(entry.get(kind), Mapping):
            found: Mapping[str, Any] = entry[kind]
            return found
    return None
