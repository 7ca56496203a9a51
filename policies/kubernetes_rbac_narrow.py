"""Clusters: roles without wildcards, escalation and secrets; bindings to accounts only."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy, shown
from policies.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, NAMESPACE_ROLE, ROLE_BINDING
from virtci.core.inventory import UNKNOWN, Resource

ESCALATING = ("bind", "escalate", "impersonate", "approve")
WRITING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READING = frozenset({"get", "list", "watch"})
BUILT_IN = ("cluster-admin", "admin", "edit", "system:")
NEVER = {
    ("", "secrets"): READING,
    ("kubevirt.io", "kubevirts"): WRITING,
    ("certificates.k8s.io", "certificatesigningrequests/approval"): WRITING,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): WRITING,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): WRITING,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): WRITING,
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): WRITING,
    ("", "services/status"): WRITING,
    ("", "nodes/proxy"): READING | WRITING,
}
"""What a role of ours never has: by group and resource, the verbs."""


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the cluster from an account that can make itself its administrator, or read what others keep.

    The roles of the release's own operator are taken as the release has them: it makes the roles of all its parts.
    """
    if at(resource.properties, "metadata.name") in settings["release"]:
        return
    if resource.kind in (CLUSTER_ROLE, NAMESPACE_ROLE):
        for index, rule in enumerate(each(resource.properties, "rules")):
            yield from _rule(f"rules[{index}]", rule)
    else:
        yield from _binding(resource.properties)


def _rule(where: str, rule: Any) -> Iterator[Fault]:
    parts = {word: at(rule, word) for word in ("apiGroups", "resources", "verbs")}
    for word, values in parts.items():
        if not isinstance(values, list) or UNKNOWN in values:
            if word == "verbs" or at(rule, "nonResourceURLs") is None:
                yield Fault(f"{where}.{word} is {shown(values)}", "a rule lists what it allows", "write the list")
                return
        elif any("*" in str(value) for value in values):
            yield Fault(f"{where}.{word} has a wildcard", "a rule lists what it allows", "write the list")
    if any("*" in str(path) for path in each(rule, "nonResourceURLs")):
        yield Fault(f"{where}.nonResourceURLs has a wildcard", "a rule lists what it allows", "write the list")
    groups, resources, verbs = (parts[word] or [] for word in ("apiGroups", "resources", "verbs"))
    for verb in (verb for verb in verbs if verb in ESCALATING):
        yield Fault(f"{where} allows `{verb}`", "nobody gives or takes rights that he has not", f"leave {verb} out")
    for (group, name), never in NEVER.items():
        if group in groups and name in resources and never & set(verbs):
            words = ", ".join(sorted(never & set(verbs)))
            yield Fault(f"{where} allows {words} of {name}", f"no role of ours may {words} {name}", "leave it out")


def _binding(properties: Any) -> Iterator[Fault]:
    role = at(properties, "roleRef.name")
    if not isinstance(role, str) or role.startswith(BUILT_IN):
        yield Fault(f"roleRef.name is {shown(role)}", "rights come from a role of our own", "declare one")
    subjects = each(properties, "subjects")
    if not subjects:
        yield Fault("it has no subject", "a binding is for an account", "name the account, or leave the binding out")
    for subject in subjects:
        if at(subject, "kind") != "ServiceAccount" or at(subject, "name") in (None, "default", UNKNOWN):
            found = f"{shown(at(subject, 'kind'))} {shown(at(subject, 'name'))}"
            yield Fault(f"its subject is {found}", "rights are given to a service account of its own", "name one")


POLICY = resource_policy(
    "kubernetes-rbac-narrow",
    "Roles in clusters list what they allow, and nobody can raise his own rights.",
    (CLUSTER_ROLE, NAMESPACE_ROLE, CLUSTER_ROLE_BINDING, ROLE_BINDING),
    faults,
    Severity.CRITICAL,
    covers=(
        "CKV2_K8S_3", "CKV2_K8S_4", "CKV2_K8S_5", "CKV_K8S_42", "CKV_K8S_49", "CKV_K8S_155", "CKV_K8S_156", "CKV_K8S_157",
        "CKV_K8S_158",
    ),
    settings={
        "release": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["kubevirt-operator", "kubevirt-operator-rolebinding", "kubevirt.io:operator"],
        }
    },
)  # fmt: skip
