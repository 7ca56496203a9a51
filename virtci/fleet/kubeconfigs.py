"""The kubeconfigs of environments: out of the vault, held against their expiry, and narrowed for the tests.

A machine publishes its own; the one of a managed cluster holds no credential and asks Entra for a token.
"""

import os
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.kubeconfigs import current_user, expires
from virtci.core.problems import Refusal
from virtci.fleet.clouds import KUBERNETES_TIMEOUT, Clouds
from virtci.fleet.troubles import asking
from virtci.outputs.fleet import Target

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

SOON = timedelta(hours=48)
"""With less than this left, a machine has missed its daily renewal."""
MODE = 0o600


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A kubeconfig of the vault. `expires` is absent where the text holds no credential."""

    text: str = field(repr=False)
    version: str
    expires: datetime | None

    def expired(self, now: datetime) -> bool:
        """Whether its credential is over."""
        return self.expires is not None and self.expires <= now

    @property
    def published(self) -> bool:
        """Whether it names a cluster and a user; the placeholder of a deployment does not."""
        return current_user(self.document) is not None

    @property
    def document(self) -> dict[str, Any]:
        """Its content; empty for a text that is no YAML."""
        try:
            content = yaml.safe_load(self.text)
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}


def look(clouds: Clouds, target: Target) -> Kubeconfig:
    """The newest kubeconfig of an environment as it is. Raises `Refusal` when the vault does not give it."""
    name = target.part.kubeconfig_secret
    with asking(f"vault {target.vault}, secret {name},"):
        secret = clouds.secrets(target.vault).get_secret(name)
    found = Kubeconfig(secret.value or "", secret.properties.version or "", secret.properties.expires_on)
    user = current_user(found.document)
    return found if found.expires or user is None else replace(found, expires=expires(user))


def fetch(clouds: Clouds, target: Target, now: datetime) -> Kubeconfig:
    """The kubeconfig of an environment, good for use. Raises `Refusal` when it was never published or has expired."""
    found = look(clouds, target)
    if not found.published:
        raise Refusal(
            f"the kubeconfig of `{target.environment}` is published",
            f"nobody can reach the cluster: {target.part.kubeconfig_secret} in vault {target.vault} names no cluster",
            unpublished_fix(target),
        )
    if found.expires is not None and found.expired(now):
        raise Refusal(
            f"the kubeconfig of `{target.environment}` is good; it expired {found.expires:%Y-%m-%d %H:%M} UTC",
            "the cluster refuses it",
            expired_fix(target),
        )
    return found


def unpublished_fix(target: Target) -> str:
    """What helps when a kubeconfig was never published."""
    if target.kind == "cluster":
        return f"deploy it again: pulumi up --stack {target.stack}"
    return f"see how far the machine's boot came: virtci status {target.environment}"


def expired_fix(target: Target) -> str:
    """What helps when a kubeconfig is over: a machine publishes a new one at every boot."""
    return f"let the machine boot again: virtci park {target.environment} --force; virtci wake {target.environment}"


def for_account(api: "ApiClient", kubeconfig: Kubeconfig, target: Target, account: str, hours: int) -> Kubeconfig:
    """A kubeconfig of another account of ours: its rights only, and over after so many hours.

    The cluster may make it shorter than was asked for; `expires` says what it made.
    """
    from kubernetes.client import CoreV1Api

    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [], "expirationSeconds": hours * 3600},
    }
    with asking(f"ServiceAccount {NAMESPACE}/{account} of `{target.environment}`"):
        answer = CoreV1Api(api).create_namespaced_service_account_token(
            account, NAMESPACE, body, _request_timeout=KUBERNETES_TIMEOUT
        )
    text = with_token(kubeconfig.document, f"{target.environment}-{account}", answer.status.token)
    return Kubeconfig(text, kubeconfig.version, answer.status.expiration_timestamp)


def with_token(document: dict[str, Any], name: str, token: str) -> str:
    """The cluster of a kubeconfig's current context, with a token as the only user."""
    contexts = {item["name"]: item["context"] for item in document["contexts"]}
    wanted = contexts[document["current-context"]]["cluster"]
    cluster = next(item["cluster"] for item in document["clusters"] if item["name"] == wanted)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": wanted, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": wanted, "user": name}}],
        "current-context": name,
    }
    return str(yaml.safe_dump(content, sort_keys=False))


def write(kubeconfig: Kubeconfig, file: Path) -> None:
    """Writes it for its owner only; never half, and never through a file that others made."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(kubeconfig.text)
        Path(name).chmod(MODE)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
