"""What the end-to-end tests may do in a cluster, and as whom."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi

from components.base import Component
from components.cluster_object import OWN_NAMESPACE, ClusterObject, ClusterPatch
from virtci.core.cluster_objects import NAMESPACE, TESTS_ACCOUNT

RULE_NAME = "virt-ci-tests"
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
MACHINES = ("virtualmachines", "virtualmachineinstances")
GETS = (
    "console", "vnc", "vnc/screenshot", "portforward", "guestosinfo", "filesystemlist", "userlist", "usbredir",
    "sev/fetchcertchain", "sev/querylaunchmeasurement", "objectgraph",
)  # fmt: skip
UPDATES = (
    "pause", "unpause", "addvolume", "removevolume", "freeze", "unfreeze", "softreboot", "reset", "sev/setupsession",
    "sev/injectlaunchsecret", "evacuate/cancel", "backup", "redefine-checkpoint",
)  # fmt: skip
MACHINE_UPDATES = (
    "start", "stop", "restart", "addvolume", "removevolume", "migrate", "memorydump", "removememorydump",
    "evacuate/cancel",
)  # fmt: skip
Rule = tuple[str, Sequence[str], Sequence[str]]
RULES: tuple[Rule, ...] = (
    # Group, resources, verbs. What the account gives to others in its namespaces it has to have itself.
    ("", ("nodes",), (*READ, "patch", "update")),
    ("", ("namespaces",), (*READ, "create", "patch", "update", "delete")),
    ("", ("pods", "services", "configmaps", "persistentvolumeclaims", "events", "serviceaccounts", "resourcequotas",
          "limitranges", "endpoints"), (*READ, *WRITE)),
    ("", ("persistentvolumes",), (*READ, *WRITE)),
    # Nobody reads secrets outside the test namespaces this way, because nobody reads any: see the class below.
    ("", ("secrets",), ("create", "update", "patch", "delete", "deletecollection")),
    ("", ("pods/log", "pods/status"), ("get",)),
    ("", ("pods/exec", "pods/portforward", "pods/attach"), ("get", "create")),
    ("", ("pods/eviction", "serviceaccounts/token"), ("create",)),
    ("apps", ("deployments", "daemonsets", "replicasets", "statefulsets", "controllerrevisions"), (*READ, *WRITE)),
    ("batch", ("jobs",), (*READ, *WRITE)),
    ("autoscaling", ("horizontalpodautoscalers",), (*READ, *WRITE)),
    ("policy", ("poddisruptionbudgets",), (*READ, *WRITE)),
    ("networking.k8s.io", ("networkpolicies", "ingresses"), (*READ, *WRITE)),
    ("storage.k8s.io", ("storageclasses",), (*READ, *WRITE)),
    ("storage.k8s.io", ("csidrivers", "volumeattachments"), READ),
    ("resource.k8s.io", ("resourceclaims", "resourceclaimtemplates"), (*READ, *WRITE)),
    ("coordination.k8s.io", ("leases",), READ),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings", "clusterrolebindings"), (*READ, "create", "delete")),
    ("rbac.authorization.k8s.io", ("clusterroles",), READ),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), READ),
    ("apiregistration.k8s.io", ("apiservices",), READ),
    ("admissionregistration.k8s.io", ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"), READ),
    ("k8s.cni.cncf.io", ("network-attachment-definitions",), (*READ, *WRITE)),
    ("cdi.kubevirt.io", ("datavolumes", "datasources", "storageprofiles", "cdis", "cdiconfigs"), READ),
    ("cdi.kubevirt.io", ("datavolumes", "datasources"), WRITE),
    ("kubevirt.io", ("kubevirts",), READ),
    ("kubevirt.io", (*MACHINES, "virtualmachineinstancepresets", "virtualmachineinstancereplicasets",
                     "virtualmachineinstancemigrations"), (*READ, *WRITE)),
    ("snapshot.kubevirt.io", ("virtualmachinesnapshots", "virtualmachinesnapshotcontents", "virtualmachinerestores"),
     (*READ, *WRITE)),
    ("backup.kubevirt.io", ("virtualmachinebackups", "virtualmachinebackuptrackers"), (*READ, *WRITE)),
    ("export.kubevirt.io", ("virtualmachineexports",), (*READ, *WRITE)),
    ("clone.kubevirt.io", ("virtualmachineclones",), (*READ, *WRITE)),
    ("pool.kubevirt.io", ("virtualmachinepools",), (*READ, *WRITE)),
    ("plugin.kubevirt.io", ("plugins",), (*READ, *WRITE)),
    ("migrations.kubevirt.io", ("migrationpolicies",), (*READ, *WRITE)),
    ("instancetype.kubevirt.io", ("virtualmachineinstancetypes", "virtualmachineclusterinstancetypes",
                                  "virtualmachinepreferences", "virtualmachineclusterpreferences"), (*READ, *WRITE)),
    ("subresources.kubevirt.io", ("version", "guestfs"), ("get", "list")),
    ("subresources.kubevirt.io", ("expand-vm-spec",), ("update",)),
    ("subresources.kubevirt.io", tuple(f"virtualmachineinstances/{name}" for name in GETS), ("get",)),
    ("subresources.kubevirt.io", tuple(f"virtualmachineinstances/{name}" for name in UPDATES), ("update",)),
    ("subresources.kubevirt.io", ("virtualmachines/expand-spec", "virtualmachines/portforward",
                                  "virtualmachines/objectgraph"), ("get",)),
    ("subresources.kubevirt.io", tuple(f"virtualmachines/{name}" for name in MACHINE_UPDATES), ("update",)),
)  # fmt: skip
"""Sources: kubevirt/kubevirt d923fdb815 (2026-08-22): pkg/virt-operator/resource/generate/rbac/cluster.go for the roles
that the suite gives to the accounts of its tests, tests/testsuite/{fixture,namespace,serviceaccount}.go for what it sets
up and clears away, tests/libnode/node.go for nodes, and the calls of tests/ by client."""

TEST_NAMESPACES = "kubevirt-test-"
"""How the namespaces of the suite begin."""
TEST_BINDING = "^kubevirt-[a-z-]+-test-[a-z-]*sa-[0-9]+$"
INSIDE = (
    "!has(request.namespace) || request.namespace == '' || "
    f"request.namespace.startsWith('{TEST_NAMESPACES}') || "
    "(request.operation == 'CONNECT' && request.namespace == 'kubevirt')"
)
NAMESPACES = (
    "request.resource.resource != 'namespaces' || "
    f"(object != null ? object : oldObject).metadata.name.startsWith('{TEST_NAMESPACES}')"
)
BINDINGS = (
    "request.resource.resource != 'clusterrolebindings' || "
    f"(object != null ? object : oldObject).metadata.name.matches('{TEST_BINDING}')"
)


class SuiteAccountArgs(TypedDict):
    """Arguments of `SuiteAccount`: none."""


class SuiteAccount(Component):
    """The account of the end-to-end tests, with what the suite needs and no more.

    Resources: labels of the namespace `virt-ci`, which the machine or the first measurement makes; the `ServiceAccount`
    `tests`, its `ClusterRole` and `ClusterRoleBinding`; a `ValidatingAdmissionPolicy` with its binding, which keeps what
    the account writes inside the suite's own namespaces, because they do not exist when rights are given.

    Refuses: a declared token (tokens are asked for at run time and expire), changes of the `KubeVirt` resource, reading
    any secret, escalation, impersonation, wildcards. Specs that need one of these cannot run as this account: those that
    change the configuration of KubeVirt, read export tokens or certificates, or act as somebody else.
    """

    TYPE = "virt-ci:cluster:SuiteAccount"
    ARGUMENTS = SuiteAccountArgs

    def __init__(self, name: str, args: SuiteAccountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.namespace = ClusterPatch(self.child_name("namespace"), OWN_NAMESPACE, self.options())
        for manifest in (*account(NAMESPACE, TESTS_ACCOUNT, RULE_NAME, RULES), *confinement()):
            kind = manifest["kind"]
            ClusterObject(self.child_name(kind.lower()), manifest, self.options(depends_on=[self.namespace]))
        self.register_outputs({})


def account(namespace: str, name: str, role: str, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """A service account with a role of its own."""
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": [
                {"apiGroups": [of], "resources": list(resources), "verbs": list(verbs)}
                for of, resources, verbs in rules
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]


def confinement() -> list[Mapping[str, Any]]:
    """The admission policy that holds the account inside the suite's namespaces, and its binding.

    Reads pass by admission, so what must not be read is left out of the role; what must not be written is refused here.
    """
    version = "admissionregistration.k8s.io/v1"
    user = f"system:serviceaccount:{NAMESPACE}:{TESTS_ACCOUNT}"
    say = "the account of the tests writes only into namespaces that begin with " + TEST_NAMESPACES
    return [
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": RULE_NAME},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "resourceRules": [
                        {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}
                    ]
                },
                "matchConditions": [{"name": "tests", "expression": f"request.userInfo.username == '{user}'"}],
                "validations": [
                    {"expression": INSIDE, "message": say},
                    {"expression": NAMESPACES, "message": say},
                    {"expression": BINDINGS, "message": "the account of the tests binds only accounts of the suite"},
                ],
            },
        },
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": RULE_NAME},
            "spec": {"policyName": RULE_NAME, "validationActions": ["Deny"]},
        },
    ]
