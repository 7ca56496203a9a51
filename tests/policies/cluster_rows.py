"""What rules on single objects of a cluster find, and what they let pass."""

from policies.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    DEPLOYMENT,
    KUBEVIRT,
    NAMESPACE,
    NAMESPACE_PATCH,
    NAMESPACE_ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
)
from tests.policies.good import ABSENT
from tests.policies.harness import UNKNOWN
from tests.policies.rows import GITHUB_TOKEN, KEY_HEAD, Row
from virtci.core.manifests import POD_SECURITY

POD = "spec.template.spec"
BOX = f"{POD}.containers.0"
SECURITY = f"{BOX}.securityContext"
DEVELOPER = "spec.configuration.developerConfiguration"
GATES = f"{DEVELOPER}.featureGates"

ROWS = [
    # Images
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{BOX}.image": "registry.example/prometheus:v3"}, "container prometheus: image is `registry.example/prometheus:v3`"),
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{BOX}.env.0.value": "registry.example/virt-api:v1"}, "VIRT_API_IMAGE is"),
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{POD}.initContainers": [{"name": "first", "image": "busybox"}]}, "container first: image is `busybox`"),
    Row("kubernetes-images", DEPLOYMENT, "missing", {f"{BOX}.image": ABSENT}, "image is absent"),
    Row("kubernetes-images", DEPLOYMENT, "unknown", {f"{BOX}.image": UNKNOWN}, "not known before the deployment"),
    Row("kubernetes-images", DEPLOYMENT, "unknown", {f"{POD}.containers": UNKNOWN}, "containers[0].image is not known"),
    Row("kubernetes-images", DEPLOYMENT, "pass", {f"{BOX}.env": ABSENT}),
    Row("kubernetes-images", DEPLOYMENT, "configuration", {}, "images come from elsewhere/", {"registries": ["elsewhere/"]}),
    # Pods
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.hostNetwork": True}, "hostNetwork is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.volumes.0": {"name": "dev", "hostPath": {"path": "/dev"}}}, "volumes[0] is of the node"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.serviceAccountName": "default"}, "serviceAccountName is `default`"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.privileged": True}, "privileged is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.allowPrivilegeEscalation": True}, "allowPrivilegeEscalation is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.readOnlyRootFilesystem": False}, "readOnlyRootFilesystem is false"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.runAsNonRoot": False}, "runAsNonRoot is false"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.capabilities.add": ["NET_RAW"]}, "capabilities.add is"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{BOX}.ports.0.hostPort": 9090}, "a port is of the node"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {SECURITY: ABSENT}, "capabilities.drop is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {f"{POD}.securityContext": ABSENT}, "seccompProfile.type is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {f"{POD}.serviceAccountName": ABSENT}, "serviceAccountName is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {POD: UNKNOWN}, "hostNetwork is not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {f"{POD}.volumes": UNKNOWN}, "or not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {f"{BOX}.ports": UNKNOWN}, "a port is of the node, or not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "configuration", {f"{SECURITY}.readOnlyRootFilesystem": ABSENT}, "", {"writableRoot": ["prometheus"]}),
    Row("kubernetes-pods-steady", DEPLOYMENT, "fail", {f"{POD}.containers": []}, "it has no container"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "missing", {f"{BOX}.livenessProbe": ABSENT}, "livenessProbe is absent"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "missing", {f"{BOX}.resources.requests.memory": ABSENT}, "requests.memory is absent"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "unknown", {f"{BOX}.resources": UNKNOWN}),
    # Rights
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.verbs": ["*"]}, "rules[0].verbs has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.resources": ["*"]}, "rules[0].resources has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.verbs": ["bind"]}, "rules[0] allows `bind`"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.resources": ["secrets"]}, "allows get, list of secrets"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "pass", {"rules.0.resources": ["secrets"], "rules.0.verbs": ["create", "delete"]}),
    Row("kubernetes-rbac-narrow", NAMESPACE_ROLE, "fail", {"rules.0": {"apiGroups": ["kubevirt.io"], "resources": ["kubevirts"], "verbs": ["get", "patch"]}}, "allows patch of kubevirts"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "pass", {"rules.0": {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}}),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE_BINDING, "fail", {"roleRef.name": "cluster-admin"}, "roleRef.name is `cluster-admin`"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "fail", {"subjects.0": {"kind": "Group", "name": "system:authenticated"}}, "its subject is `Group`"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "fail", {"subjects.0.name": "default"}, "its subject is `ServiceAccount` `default`"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "missing", {"rules.0.verbs": ABSENT}, "rules[0].verbs is absent"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "missing", {"subjects": ABSENT}, "it has no subject"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "unknown", {"rules": UNKNOWN}, "rules[0].verbs is not known"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0": {"nonResourceURLs": ["/*"], "verbs": ["get"]}}, "nonResourceURLs has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "unknown", {"rules.0.verbs": [UNKNOWN]}, "verbs is"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "unknown", {"roleRef.name": UNKNOWN}, "roleRef.name is not known"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "configuration", {"rules.0.verbs": ["*"]}, "", {"release": ["virt-ci-tests"]}),
    # Namespaces, credentials, services
    Row("kubernetes-namespaces", CONFIG_MAP, "fail", {"metadata.namespace": "kube-system"}, "metadata.namespace is `kube-system`"),
    Row("kubernetes-namespaces", NAMESPACE, "fail", {"metadata.labels": {POD_SECURITY: "none"}}, "is `none`"),
    Row("kubernetes-namespaces", NAMESPACE, "fail", {"metadata.name": "default"}, "metadata.name is `default`"),
    Row("kubernetes-namespaces", SERVICE_ACCOUNT, "missing", {"metadata.namespace": ABSENT}, "metadata.namespace is absent"),
    Row("kubernetes-namespaces", NAMESPACE_PATCH, "missing", {"metadata.labels": ABSENT}, "is absent"),
    Row("kubernetes-namespaces", DEPLOYMENT, "unknown", {"metadata": UNKNOWN}, "metadata.namespace is not known"),
    Row("kubernetes-namespaces", NAMESPACE, "unknown", {"metadata.labels": UNKNOWN}, "is not known"),
    Row("kubernetes-namespaces", NAMESPACE, "configuration", {}, "one of ours-only", {"allowed": ["ours-only"]}),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "fail", {"data.key": KEY_HEAD}, "data.key holds a private key"),
    Row("kubernetes-no-plain-secret", DEPLOYMENT, "fail", {f"{BOX}.args": [f"--password={GITHUB_TOKEN}"]}, "args holds a GitHub token"),
    Row("kubernetes-no-plain-secret", DEPLOYMENT, "fail", {f"{BOX}.env.0": {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}}, "env takes a secret"),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "missing", {"data": ABSENT}),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "unknown", {"data": UNKNOWN}),
    Row("kubernetes-services-inside", SERVICE, "fail", {"spec.type": "LoadBalancer"}, "spec.type is `LoadBalancer`"),
    Row("kubernetes-services-inside", SERVICE, "fail", {"spec.externalIPs": ["203.0.113.1"]}, "spec.externalIPs is"),
    Row("kubernetes-services-inside", SERVICE, "missing", {"spec.type": ABSENT}),
    Row("kubernetes-services-inside", SERVICE, "unknown", {"spec": UNKNOWN}, "spec.type is not known"),
    # KubeVirt
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{GATES}": ["HyperVL1Vh"]}, "did you mean `HyperVL1VH`"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{GATES}": ["ConfigurableHypervisor"]}, "hypervisors is absent"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {"spec.configuration.hypervisors": [{"name": "kvm"}]}, "hypervisors is"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{DEVELOPER}.useEmulation": True}, "useEmulation is true"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {"spec.imageTag": "v1"}, "spec.imageTag is set"),
    Row("kubevirt-gate", KUBEVIRT, "missing", {GATES: ABSENT}, "featureGates is absent"),
    Row("kubevirt-gate", KUBEVIRT, "unknown", {"spec": UNKNOWN}, "featureGates is not known"),
    Row("kubevirt-gate", KUBEVIRT, "pass", {GATES: []}),
    Row("kubevirt-gate", KUBEVIRT, "pass", {GATES: ["ConfigurableHypervisor"], "spec.configuration.hypervisors": [{"name": "hyperv-direct"}]}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {}, "test-kvm runs with the gate off", {"environment": "test-kvm"}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {GATES: []}, "emulation is on in test-emulation", {"environment": "test-emulation"}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {}, "policy `kubevirt-gate` is for `nowhere`", {"environment": "nowhere"}),
]  # fmt: skip
