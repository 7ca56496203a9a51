"""KubeVirt: the gate of the environment, and images by digest."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.kinds import KUBEVIRT
from virtci.core.decision import UPSTREAM_HYPERVISOR, gate_named
from virtci.core.environments import ROWS, Environment, Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.inventory import UNKNOWN, Resource
from virtci.core.problems import Refusal

DEVELOPER = "spec.configuration.developerConfiguration"
BY_TAG = ("imageTag", "imageRegistry")


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the regression environments from the new hypervisor, and everybody from gates that KubeVirt ignores."""
    if settings["environment"] not in set(Environment):
        yield Fault(f"policy `kubevirt-gate` is for {shown(settings['environment'])}", "an environment", "name one")
        return
    row = ROWS[Environment(settings["environment"])]
    gates = at(resource.properties, f"{DEVELOPER}.featureGates")
    if not isinstance(gates, list) or UNKNOWN in gates:
        yield Fault(f"featureGates is {shown(gates)}", "the list of gates is known", "write it, empty for none")
        gates = []
    for gate in gates:
        try:
            gate_named(str(gate))
        except Refusal as refusal:
            yield Fault(f"it has the gate {shown(gate)}", refusal.rule, refusal.fix)
    if gates and not row.gate_allowed:
        fix = "set `gate` to off"
        yield Fault(f"it has the gates {shown(gates)}", f"{settings['environment']} runs with the gate off", fix)
    hypervisors = at(resource.properties, "spec.configuration.hypervisors")
    wanted = [{"name": UPSTREAM_HYPERVISOR}] if Gate.CONFIGURABLE_HYPERVISOR in gates else None
    if hypervisors != wanted:
        rule = f"hypervisors is {shown(wanted)} with these gates"
        yield Fault(f"hypervisors is {shown(hypervisors)}", rule, "let the program write it")
    emulates = row.hypervisor is Hypervisor.EMULATION
    if at(resource.properties, f"{DEVELOPER}.useEmulation") is not (True if emulates else None):
        found = shown(at(resource.properties, f"{DEVELOPER}.useEmulation"))
        rule = f"emulation is {'on' if emulates else 'off'} in {settings['environment']}"
        yield Fault(f"useEmulation is {found}", rule, "let the program write it")
    for word in BY_TAG:
        if at(resource.properties, f"spec.{word}") is not None:
            rule = "the operator takes its images by the digests of the release"
            yield Fault(f"spec.{word} is set", rule, "leave it out: with it the operator pulls by tag")


POLICY = resource_policy(
    "kubevirt-gate",
    "KubeVirt has the gate that its environment allows, and no other.",
    (KUBEVIRT,),
    faults,
    Severity.CRITICAL,
    settings={"environment": {"type": "string", "default": ""}},
)
