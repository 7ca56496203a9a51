"""Every name that a person or a tool sees, and the platform's rules for it.

Rules: "Naming rules and restrictions for Azure resources" (azure-docs, resource-name-rules.md) and GitHub's REST
description of environments and variables. A rule holds the length and the shape; `scope` says where it is unique.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Literal

from virtci.core.problems import Refusal

Kind = Literal[
    "resource_group", "virtual_machine", "network_interface", "network_security_group", "virtual_network", "subnet",
    "public_ip", "nat_gateway", "key_vault", "secret", "workspace", "managed_cluster", "agent_pool", "identity",
    "federated_credential", "budget", "disk", "snapshot", "role", "storage_account", "blob_container", "gallery",
    "gallery_image", "github_environment", "github_variable",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class NameRule:
    """Length and shape of a kind of name."""

    minimum: int
    maximum: int
    shape: str
    words: str


_NETWORK = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_])?"
_NETWORK_WORDS = "letters, digits, `.`, `_`, `-`; starts with a letter or digit, ends with one or `_`"

RULES: dict[Kind, NameRule] = {
    "resource_group": NameRule(1, 90, r"[\w().-]*[\w()-]", "letters, digits, `_`, `(`, `)`, `-`, `.`; no final dot"),
    "virtual_machine": NameRule(1, 64, r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "letters, digits, `.`, `-`; starts and ends with a letter or digit"),
    "network_interface": NameRule(1, 80, _NETWORK, _NETWORK_WORDS),
    "network_security_group": NameRule(1, 80, _NETWORK, _NETWORK_WORDS),
    "virtual_network": NameRule(2, 64, _NETWORK, _NETWORK_WORDS),
    "subnet": NameRule(1, 80, _NETWORK, _NETWORK_WORDS),
    "public_ip": NameRule(1, 80, _NETWORK, _NETWORK_WORDS),
    "nat_gateway": NameRule(1, 80, _NETWORK, _NETWORK_WORDS),
    "disk": NameRule(1, 80, r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "letters, digits, `_`, `.`, `-`"),
    "snapshot": NameRule(1, 80, r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "letters, digits, `_`, `.`, `-`"),
    "storage_account": NameRule(3, 24, r"[a-z0-9]+", "lower case letters and digits; unique in all of Azure"),
    "blob_container": NameRule(3, 63, r"[a-z0-9](?!.*--)[a-z0-9-]*[a-z0-9]", "lower case letters, digits, single `-`; starts and ends with a letter or digit"),
    "gallery": NameRule(1, 80, r"[A-Za-z0-9]([A-Za-z0-9_.]*[A-Za-z0-9])?", "letters, digits, `_`, `.`; starts and ends with a letter or digit"),
    "gallery_image": NameRule(1, 80, r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", "letters, digits, `_`, `.`, `-`; starts and ends with a letter or digit"),
    "key_vault": NameRule(3, 24, r"[A-Za-z](?!.*--)[A-Za-z0-9-]*[A-Za-z0-9]", "letters, digits, single `-`; starts with a letter, ends with a letter or digit; unique in all of Azure"),
    "secret": NameRule(1, 127, r"[A-Za-z0-9-]+", "letters, digits, `-`"),
    "workspace": NameRule(4, 63, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", "letters, digits, `-`; starts and ends with a letter or digit"),
    "managed_cluster": NameRule(1, 63, r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", "letters, digits, `_`, `-`; starts and ends with a letter or digit"),
    "agent_pool": NameRule(1, 12, r"[a-z][a-z0-9]*", "lower case letters and digits; starts with a letter"),
    "identity": NameRule(3, 128, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, `_`, `-`; starts with a letter or digit"),
    "federated_credential": NameRule(3, 120, r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, `_`, `-`; starts with a letter or digit"),
    "budget": NameRule(1, 63, r"[A-Za-z0-9_-]+", "letters, digits, `_`, `-`"),
    "role": NameRule(1, 512, r".*\S.*", "any text"),
    "github_environment": NameRule(1, 255, r"[^'\"`,;\\\s]+", "no quotes, commas, semicolons, backslashes or spaces"),
    "github_variable": NameRule(1, 255, r"(?!GITHUB_)[A-Za-z_][A-Za-z0-9_]*", "letters, digits, `_`; does not start with a digit or GITHUB_"),
}  # fmt: skip


def named(kind: Kind, name: str) -> str:
    """The name itself, when the platform takes it. Raises `Refusal` otherwise."""
    rule = RULES[kind]
    if rule.minimum <= len(name) <= rule.maximum and re.fullmatch(rule.shape, name):
        return name
    raise Refusal(
        f"{kind.replace('_', ' ')} names have {rule.minimum} to {rule.maximum} characters: {rule.words}",
        "the platform refuses the resource in the middle of a deployment",
        f"rename it; `{name}` has {len(name)} characters",
    )


def shutdown_schedule(machine: str) -> str:
    """The one name under which the platform looks for the auto-shutdown of a machine."""
    return f"shutdown-computevm-{machine}"


def ssh_key_secret(machine: str) -> str:
    """The vault secret with the private SSH key of a machine."""
    return named("secret", f"{machine}-ssh-key")


def kubeconfig_secret(environment: str) -> str:
    """The vault secret with the kubeconfig of an environment."""
    return named("secret", f"{environment}-kubeconfig")


def registration_secret(runner: str) -> str:
    """The vault secret through which a runner gets its registration."""
    return named("secret", f"{runner}-registration")


def assignment_id(*parts: str) -> str:
    """A stable id for a role assignment: the same principal, role and scope always give the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))
