"""Boskos, the lease server of many launchers: what it is configured with, and who may do what.

Source: sigs.k8s.io/boskos v0.0.0-20250908171729-5e4ab7284e90 (read and measured 2026-11): deployments/base,
common/config.go, ranch/ranch.go. Its definitions are that module's, in `virtci/data/boskos-definitions.yaml`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

import yaml

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.manifests import objects_of
from virtci.core.problems import Problem, ProblemsError
from virtci.core.runners.boskos_records import GROUP, SLOTS, State
from virtci.core.tables import DATA

NAME = "boskos"
LAUNCHER = "runner-launcher"
"""Account of those who lease from outside the cluster."""
PORT_NAME = "api"
REQUEST_TTL = timedelta(seconds=30)
"""How long a place in the queue is kept for somebody who does not ask."""
EXPIRY = timedelta(hours=25)
"""How long a lease lives without a sign of life: longer than any machine, which has 24 hours and some for its end."""
CONFIG_FILE = "config.yaml"
RBAC = "rbac.authorization.k8s.io"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def server_path(namespace: str = NAMESPACE) -> str:
    """Where the server is behind the API server of its cluster."""
    return f"/api/v1/namespaces/{namespace}/services/{NAME}:{PORT_NAME}/proxy"


SERVER_RULES = [
    # Nothing here can be left out: each verb was dropped in turn. Reading single objects is not among them; it caches.
    {
        "apiGroups": [GROUP],
        "resources": [SLOTS, "dynamicresourcelifecycles"],
        "verbs": ["list", "watch", "create", "update", "delete"],
    },
]
LAUNCHER_RULES = [
    {"apiGroups": [GROUP], "resources": [SLOTS], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["services/proxy"],
        "resourceNames": [f"{NAME}:{PORT_NAME}"],
        "verbs": ["get", "create"],
    },
]


def configuration(pools: Mapping[str, Sequence[str]]) -> str:
    """The configuration of the server: the slots of each pool, by name.

    Raises `ProblemsError`. What the server itself takes without a word, a type twice or an unknown state, cannot be
    written this way.
    """
    problems = [_problem("pools", None, "there is a pool", "name one")] if not pools else []
    problems += [_problem("pools", name, "a pool has a slot", "name its slots") for name in pools if not pools[name]]
    names = [*pools, *chain.from_iterable(pools.values())]
    rule = "lower-case letters, digits and hyphens, at most 63, and no hyphen at either end"
    problems += [_problem("pools", name, rule, "rename it") for name in names if not _LABEL.fullmatch(name)]
    counts = Counter(chain.from_iterable(pools.values()))
    rule = "a slot is in one pool, once"
    problems += [_problem("pools", name, rule, "rename one") for name, count in counts.items() if count > 1]
    if problems:
        raise ProblemsError("the pools of the lease server", problems)
    resources = [
        {"type": name, "state": State.FREE.value, "names": sorted(slots)} for name, slots in sorted(pools.items())
    ]
    return yaml.safe_dump({"resources": resources}, sort_keys=False)


def _problem(key: str, value: object, rule: str, fix: str) -> Problem:
    return Problem(key, value, rule, "the server would refuse all of its configuration, or forget slots", fix)


def definitions() -> list[dict[str, Any]]:
    """The custom resource definitions; the server does not make them and ends without them."""
    return objects_of((DATA / "boskos-definitions.yaml").read_text(), "boskos-definitions.yaml")


def accounts() -> list[dict[str, Any]]:
    """The accounts of the server and of the launchers, each with a role of its own in the namespace."""
    return [*_account(NAME, SERVER_RULES), *_account(LAUNCHER, LAUNCHER_RULES)]


def _account(name: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        },
    ]
