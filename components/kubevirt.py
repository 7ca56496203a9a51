"""KubeVirt in the cluster of an environment: the release, its configuration, and the check of the nodes before it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypedDict

import pulumi

from components.base import Component
from components.cluster_object import ClusterObject, ConfigMapReading
from virtci.core.cluster_choice import Choice, choose
from virtci.core.cluster_objects import NAMESPACE, READINESS, RECORD
from virtci.core.decision import kubevirt_spec
from virtci.core.environments import ROWS, Environment, Gate
from virtci.core.manifests import CLUSTER_SCOPED, LAST, placed
from virtci.core.problems import Problem, ProblemsError, Refusal
from virtci.core.readiness import parse_record
from virtci.settings import models
from virtci.settings.delivery import NAMESPACE as KUBEVIRT
from virtci.settings.delivery import Delivery

API_VERSION = "kubevirt.io/v1"
PATIENCE = "20m"
"""How long the operator may take to roll out, or to remove, all parts of KubeVirt."""
AWAITED = {
    "pulumi.com/waitFor": "condition=Available",
    # Nothing refers to the resource as its owner: the operator removes what it made before it lets the resource go.
    "pulumi.com/deletionPropagationPolicy": "background",
}


class KubeVirtArgs(TypedDict):
    """Arguments of `KubeVirt`. None of these may be an Output."""

    environment: Environment
    declared: models.KubeVirt
    delivery: Delivery
    """The release, read and checked."""


class KubeVirt(Component):
    """A release of KubeVirt with the gate that the nodes of the cluster allow.

    Resources: every object of the release's manifest, from its namespace to its operator, and the `KubeVirt` resource
    that configures it. With the gate on, the readiness record of the cluster is read before any of them: a node
    without its device stops the deployment while nothing is changed, or leaves the gate off where the settings say so.

    Refuses: images that are not the release's own, by digest; gates that KubeVirt would ignore without a word; a gate
    that is on without a record of every node. Nothing is written to nodes and no virtual machine is touched: switching
    the gate off is an update of the one `KubeVirt` resource.
    """

    TYPE = "virt-ci:cluster:KubeVirt"
    ARGUMENTS = KubeVirtArgs

    choice: pulumi.Output[Choice]
    """The gate that is set, why, and what follows from it."""

    def __init__(self, name: str, args: KubeVirtArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.environment, self.declared, self.delivery = args["environment"], args["declared"], args["delivery"]
        self.choice = self._choice()
        operator = self._operator(self.choice)
        self._custom_resource(self.choice, operator)
        self.outputs: dict[str, Any] = {
            "environment": self.environment.value,
            "namespace": KUBEVIRT,
            "version": self.delivery.release.version,
            "registry": self.delivery.release.registry,
            "releaseDigest": self.delivery.digest,
            "operatorImage": self.delivery.release.image("virt-operator"),
            "gateDeclared": self.declared.gate.value,
            **{key: self.choice.apply(read) for key, read in CHOSEN.items()},
        }
        self.register_outputs(self.outputs)

    def _choice(self) -> pulumi.Output[Choice]:
        decide = partial(choice_of, self.environment, self.declared)
        if self.declared.gate is Gate.OFF:
            return pulumi.Output.from_input(decide(None))
        reading = ConfigMapReading(self.child_name("readiness"), f"{NAMESPACE}/{READINESS}", self.options())
        return reading.data.apply(decide)

    def _operator(self, choice: pulumi.Output[Choice]) -> list[ClusterObject]:
        """The objects of the release, in order, none of them before the choice is made."""
        chosen = choice.apply(lambda _: list[pulumi.Resource]())
        declared: dict[str, list[ClusterObject]] = {"Namespace": [], "all": []}
        has_control_plane = ROWS[self.environment].compute == "machine"
        for item in placed(self.delivery.objects, control_plane_nodes=has_control_plane):
            kind = item["kind"]
            first = [] if kind in CLUSTER_SCOPED else declared["Namespace"]
            needed = declared["all"] if kind in LAST else first
            made = ClusterObject(
                self.child_name(f"{kind}-{item['metadata']['name']}"),
                item,
                self.options(depends_on=needed or chosen),
            )
            declared.setdefault(kind, []).append(made)
            declared["all"].append(made)
        return declared["all"]

    def _custom_resource(self, choice: pulumi.Output[Choice], operator: list[ClusterObject]) -> None:
        single_node = ROWS[self.environment].compute == "machine"
        patience = pulumi.CustomTimeouts(create=PATIENCE, update=PATIENCE, delete=PATIENCE)
        ClusterObject(
            self.child_name("configuration"),
            {
                "apiVersion": API_VERSION,
                "kind": "KubeVirt",
                "metadata": {
                    "name": KUBEVIRT,
                    "namespace": KUBEVIRT,
                    "annotations": AWAITED,
                },
                "spec": choice.apply(partial(specification, single_node=single_node)),
            },
            self.options(depends_on=operator, custom_timeouts=patience),
        )


def specification(choice: Choice, *, single_node: bool) -> dict[str, Any]:
    """The `spec` of the KubeVirt resource.

    Images are digests, which never change under a node, so that nodes keep what they pulled. Virtual machines that run
    when the gate is switched are restarted to take it on; on a single node none of them could be moved instead.
    """
    return {
        "imagePullPolicy": "IfNotPresent",
        "workloadUpdateStrategy": {"workloadUpdateMethods": ["Evict"] if single_node else ["LiveMigrate", "Evict"]},
        **kubevirt_spec(
            choice.gate,
            use_emulation=choice.use_emulation,
            single_node=single_node,
            control_plane_nodes=single_node,
        ),
    }


def choice_of(environment: Environment, declared: models.KubeVirt, data: Mapping[str, str] | None) -> Choice:
    """What the cluster gets, from the data of its readiness record.

    Raises `pulumi.RunError`, which the engine shows without a trace, when the nodes do not allow the declared gate.
    """
    try:
        record = parse_record((data or {}).get(RECORD, "")) if declared.gate is not Gate.OFF else None
        return choose(environment, declared.gate, declared.when_not_ready, record)
    except Refusal as refusal:
        problem = Problem("kubevirt.gate", declared.gate.value, refusal.rule, refusal.consequence, refusal.fix)
        raise pulumi.RunError(str(ProblemsError(f"cluster of {environment}", [problem]))) from None


def readiness_of(choice: Choice) -> dict[str, Any] | None:
    """The judgement of the nodes, as the contract shows it."""
    if choice.readiness is None:
        return None
    found = choice.readiness
    return {
        "ready": found.ready,
        "nodes": list(found.nodes),
        "incapable": {node: list(why) for node, why in found.incapable.items()},
        "measuredAt": found.measured_at.isoformat(),
    }


CHOSEN: dict[str, Callable[[Choice], Any]] = {
    "gate": lambda choice: choice.gate.value,
    "fallback": lambda choice: choice.fallback,
    "reason": lambda choice: choice.reason,
    "readiness": readiness_of,
    "useEmulation": lambda choice: choice.use_emulation,
    "hypervisor": lambda choice: choice.hypervisor.value if choice.hypervisor else None,
}
"""The outputs that follow from the choice."""
