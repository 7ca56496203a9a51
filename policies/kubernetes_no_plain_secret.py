"""Clusters: no credential in what everybody can read."""

import json
from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy
from policies.kinds import CONFIG_MAP, DEPLOYMENT
from policies.pods import containers_of
from virtci.core.credentials import credentials_in
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from credentials in ConfigMaps, arguments and variables, which every reader of the namespace sees.

    Tokens are asked for at run time and expire, so no secret is declared at all. Values that the deployment makes are
    judged in the update.
    """
    for where, value in _texts(resource):
        for kind in sorted(set(credentials_in(value))):
            yield Fault(f"{where} holds {kind}", "no credential is declared", "ask for a token at run time")
    for where, container in containers_of(resource) if resource.kind == DEPLOYMENT else ():
        if any(at(item, "valueFrom.secretKeyRef") is not None for item in each(container, "env")):
            yield Fault(f"{where}env takes a secret", "secrets are no variables", "mount it as a file")


def _texts(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.kind == CONFIG_MAP:
        data = at(resource.properties, "data")
        yield from ((f"data.{key}", value) for key, value in _known(data).items() if isinstance(value, str))
        return
    for where, container in containers_of(resource):
        for word in ("command", "args", "env"):
            value = at(container, word)
            if isinstance(value, list):
                yield f"{where}{word}", json.dumps(value, default=str)


def _known(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


POLICY = resource_policy(
    "kubernetes-no-plain-secret",
    "What is declared inside clusters holds no credential.",
    (CONFIG_MAP, DEPLOYMENT),
    faults,
    Severity.CRITICAL,
    covers=("CKV_K8S_35",),
)
