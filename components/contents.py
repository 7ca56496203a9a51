"""The section of a stack file that is about the inside of a cluster: KubeVirt, its tests' account, its monitoring."""

from typing import Any

import pulumi

from components.cluster_provider import cluster_provider
from components.kubevirt import KubeVirt
from components.monitoring import Monitoring
from components.suite_account import SuiteAccount
from virtci.core.capabilities import cluster_shortfalls
from virtci.core.cluster_objects import NAMESPACE, TESTS_ACCOUNT
from virtci.core.problems import Problem, ProblemsError
from virtci.places import ROOT
from virtci.settings.cluster_access import require_kubeconfig
from virtci.settings.delivery import read_delivery
from virtci.settings.models import KubeVirt as Declared


def declare_contents(declared: Declared) -> dict[str, Any]:
    """Declares what runs inside the cluster of one environment and returns the outputs.

    Raises `ProblemsError` when the kubeconfig or the release cannot be used.
    """
    environment = declared.environment
    require_kubeconfig(environment)
    delivery = read_delivery(ROOT / declared.release)
    require_version(declared, delivery.release.version)
    options = pulumi.ResourceOptions(providers=[cluster_provider(environment)])
    kubevirt = KubeVirt("kubevirt", {"environment": environment, "declared": declared, "delivery": delivery}, options)
    after = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[kubevirt]))
    SuiteAccount("tests", {}, after)
    Monitoring(
        "monitoring",
        {"environment": environment, "choice": kubevirt.choice, "image": declared.prometheus_image},
        after,
    )
    return {"kubevirt": {**kubevirt.outputs, "testServiceAccount": f"{NAMESPACE}/{TESTS_ACCOUNT}"}}


def require_version(declared: Declared, version: str) -> None:
    """Raises `ProblemsError` when the release does not know the declared gate: KubeVirt would ignore it silently."""
    if lacking := cluster_shortfalls(declared.gate, version):
        problem = Problem(
            "kubevirt.gate", declared.gate.value, f"the release knows the gate: {lacking[0]}",
            "virtual machines would run on something else, and tests be green for the wrong reason",
            "deploy a newer release, or set the gate to off",
        )  # fmt: skip
        raise ProblemsError(f"release {version} for {declared.environment}", [problem])
