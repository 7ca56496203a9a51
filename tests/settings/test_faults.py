"""What is wrong with a stack file is said with key, value, rule, consequence and fix: a fault a row."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.settings.stackfile import ABSENT, problems, values


@dataclass(frozen=True)
class Fault:
    """A change to a committed stack file and what is said about it."""

    stack: str
    changes: dict[str, Any]
    key: str
    says: tuple[str, ...]
    """Words of rule, consequence and fix."""
    value: Any = field(default=ABSENT)
    """The value shown; by default the one that was put there."""
    also: frozenset[str] = frozenset()
    """Other keys that the same change breaks."""

    def __str__(self) -> str:
        put = next(iter(self.changes.values()))
        return f"{self.stack}-{self.key}-{'absent' if put is ABSENT else put}"[:70]

    @property
    def shown(self) -> Any:
        if self.value is not ABSENT:
            return self.value
        put = self.changes[self.key] if self.key in self.changes else next(iter(self.changes.values()))
        return None if put is ABSENT else put


DEV = "environments.dev"
KVM = "environments.test-kvm"
MSHV = "environments.test-mshv"
EMULATION = "environments.test-emulation"
NETWORK = "hub.network"
FAULTS = [
    # misspelt keys, at every depth
    Fault("hub", {"regoin": "westus"}, "regoin", ("only known keys", "ignored", "did you mean `region`?")),
    Fault("hub", {"quota.corse": 8}, "quota.corse", ("did you mean `cores`?",)),
    Fault("hub", {"hub.netwrok": {}}, "hub.netwrok", ("did you mean `network`?",)),
    Fault("hub", {f"{NETWORK}.adressSpace": "10.0.0.0/8"}, f"{NETWORK}.adressSpace", ("did you mean `addressSpace`?",)),
    Fault("hub", {"hub.runners.lables": []}, "hub.runners.lables", ("did you mean `labels`?",)),
    Fault("dev", {f"{DEV}.gaet": "off"}, f"{DEV}.gaet", ("did you mean `gate`?",)),
    Fault("dev", {f"{DEV}.machine.sise": "x"}, f"{DEV}.machine.sise", ("did you mean `size`?",)),
    Fault("dev", {f"{DEV}.machine.shutdown_time": "1900"}, f"{DEV}.machine.shutdown_time", ("did you mean `shutdownTime`?",)),
    Fault("dev", {f"{DEV}.tests.enabeld": True}, f"{DEV}.tests.enabeld", ("did you mean `enabled`?",)),
    Fault("test", {f"{KVM}.cluster.workerPool.maximun": 2}, f"{KVM}.cluster.workerPool.maximun", ("did you mean `maximum`?",)),
    Fault("dev", {"environments.prod": {"gate": "off", "protection": {"reviewers": ["a"], "branches": ["b"]}}},
          "environments.prod", ("one of: dev, test-mshv, test-kvm, test-emulation",), "prod"),
    # digests, checksums, versions
    Fault("dev", {f"{DEV}.machine.k3s.version": "latest"}, f"{DEV}.machine.k3s.version", ("v1.34.1+k3s1",), "latest"),
    Fault("dev", {f"{DEV}.machine.k3s.binarySha256": "5a6b"}, f"{DEV}.machine.k3s.binarySha256", ("64 of 0-9 and a-f", "this has 4 characters"), "5a6b"),
    Fault("hub", {"hub.runners.agent.version": "2.319.1"}, "hub.runners.agent.version", ("2.329.0 or newer", "GitHub refuses"), "2.319.1"),
    Fault("dev-kubevirt", {"kubevirt.probeImage": "registry.example/probe:1.0"}, "kubevirt.probeImage", ("registry/name@sha256:",), "registry.example/probe:1.0"),
    Fault("dev-kubevirt", {"kubevirt.gate": "HyperVL1HV"}, "kubevirt.gate", ("did you mean `HyperVL1VH`?",), "HyperVL1HV"),
    Fault("test-kvm-kubevirt", {"kubevirt.gate": "HyperVL1VH"}, "kubevirt.gate", ("runs with the gate off", "set it to off")),
    Fault("dev-kubevirt", {"kubevirt.whenNotReady": "ignore"}, "kubevirt.whenNotReady", ("one of: fail, fallback",), "ignore"),
    # missing keys
    Fault("hub", {"region": ABSENT}, "region", ("the key is required", "docs/configuration.md")),
    Fault("hub", {"quota": ABSENT}, "quota", ("how many vCPU", "add the section `quota`")),
    Fault("dev", {"budget": ABSENT}, "budget", ("what a month may cost", "add the section `budget`")),
    Fault("dev-kubevirt", {"kubevirt.release": ABSENT}, "kubevirt.release", ("the key is required",)),
    Fault("hub", {"quota.cores": ABSENT}, "quota.cores", ("the key is required",)),
    Fault("hub", {"hub.keyVault": ABSENT}, "hub.keyVault", ("the key is required",)),
    Fault("hub", {"hub.runners.image": ABSENT}, "hub.runners.image", ("the key is required",)),
    Fault("dev", {f"{DEV}.protection.branches": ABSENT}, f"{DEV}.protection.branches", ("the key is required",)),
    Fault("test", {f"{KVM}.cluster.kubernetesVersion": ABSENT}, f"{KVM}.cluster.kubernetesVersion", ("the key is required",)),
    Fault("dev", {"hubStack": ABSENT}, "hubStack", ("stack of the hub", "no subnet", "organization/virt-ci/hub")),
    Fault("hub", {"hub": ABSENT}, "hub", ("a hub, environments, kubevirt or runners", "nothing to deploy")),
    # values of the wrong type
    Fault("hub", {"quota.cores": "many"}, "quota.cores", ("a whole number", "digits")),
    Fault("hub", {"quota.cores": 16.5}, "quota.cores", ("a whole number",)),
    Fault("hub", {"budget": "cheap"}, "budget", ("a section", "indent")),
    Fault("hub", {"hub.network": []}, "hub.network", ("a section",)),
    Fault("hub", {"protect": "perhaps"}, "protect", ("true or false",)),
    Fault("hub", {"hub.runners.labels": "linux"}, "hub.runners.labels", ("a list",)),
    Fault("test", {f"{KVM}.cluster.kubernetesVersion": 1.34}, f"{KVM}.cluster.kubernetesVersion", ("a text", "quotes")),
    Fault("test", {f"{KVM}.cluster.workerPool.surge": 1}, f"{KVM}.cluster.workerPool.surge", ("a text", "quotes")),
    Fault("dev", {f"{DEV}.machine.shutdownTime": 1900}, f"{DEV}.machine.shutdownTime", ("a text", "quotes")),
    # values that mean nothing
    Fault("hub", {"subscription": "my-subscription"}, "subscription", ("an id of the form", "az account show")),
    Fault("hub", {"tenant": "{0b7b4b55-e6bd-4871-bd56-7972f44e3a16}"}, "tenant", ("an id of the form",)),
    Fault("hub", {"region": "westsu"}, "region", ("prices.json", "did you mean `westus`?")),
    Fault("hub", {"repository": "https://github.com/a/b"}, "repository", ("owner/name", "without https://github.com/")),
    Fault("dev", {"hubStack": "hub"}, "hubStack", ("organization/project/stack", "cannot be read")),
    Fault("hub", {"owner": "The Team"}, "owner", ("should match pattern", "docs/configuration.md")),
    Fault("hub", {"budget.start": "2026-01-15"}, "budget.start", ("should match pattern",)),
    Fault("hub", {"budget.contacts": []}, "budget.contacts", ("at least 1 item",)),
    Fault("hub", {"quota.reserve": -1}, "quota.reserve", ("greater than or equal to 0",)),
    Fault("dev", {f"{DEV}.gate": "HyperVL1HV"}, f"{DEV}.gate", ("one of: off, HyperVL1VH", "did you mean `HyperVL1VH`?")),
    Fault("dev", {f"{DEV}.gate": True}, f"{DEV}.gate", ("one of: off, HyperVL1VH",)),
    Fault("dev", {f"{DEV}.machine.lifetime": "ondemand"}, f"{DEV}.machine.lifetime", ("did you mean `on-demand`?",)),
    Fault("hub", {"hub.keyVault.name": "kubevirt--kv"}, "hub.keyVault.name", ("key vault names have 3 to 24", "12 characters")),
    Fault("hub", {"hub.keyVault.name": "kubevirt-keys-and-configs-kv"}, "hub.keyVault.name", ("key vault names have 3 to 24",)),
    Fault("test", {f"{KVM}.cluster.workerPool.name": "Workers"}, f"{KVM}.cluster.workerPool.name", ("agent pool names",)),
    Fault("dev", {f"{DEV}.machine.image": "dom0qemu"}, f"{DEV}.machine.image", ("Compute Gallery", "without /dev/mshv")),
    Fault("dev", {f"{DEV}.machine.image": "Canonical:ubuntu-24_04-lts:server:latest"}, f"{DEV}.machine.image", ("Compute Gallery",)),
    Fault("hub", {"hub.runners.image": "ubuntu"}, "hub.runners.image", ("publisher:offer:sku:version", "az vm image list")),
    # sizes
    Fault("dev", {f"{DEV}.machine.size": "Standard_D8_v5s"}, f"{DEV}.machine.size", ("has a row", "did you mean `Standard_D8s_v5`?")),
    Fault("dev", {f"{DEV}.machine.size": "Standard_D2s_v5", "quota.families.standardDSv5Family": 8}, f"{DEV}.machine.size",
          ("hypervisor mshv needs at least 4 vCPU and 16 GiB", "has 2 and 8", "larger"), "Standard_D2s_v5"),
    Fault("dev", {f"{DEV}.machine.size": "Standard_B4s_v2", "quota.families.standardBsv2Family": 4}, f"{DEV}.machine.size",
          ("nested virtualization", "/dev/mshv", "Standard_D8s_v5"), "Standard_B4s_v2"),
    Fault("test", {f"{KVM}.cluster.workerPool.size": "Standard_D2s_v5"}, f"{KVM}.cluster.workerPool.size",
          ("hypervisor kvm needs at least 4 vCPU",)),
    Fault("test", {f"{EMULATION}.machine.size": "Standard_D4s_v5"}, f"{EMULATION}.machine.size",
          ("hypervisor emulation needs at least 8 vCPU and 32 GiB",)),
    Fault("dev", {f"{DEV}.machine.size": "Standard_D8as_v5", "quota.families.standardDASv5Family": 8}, f"{DEV}.machine.size",
          ("a size with a price in westus", "SkuNotAvailable", "is offered in"), "Standard_D8as_v5"),
    Fault("hub", {"hub.runners.size": "Standard_D4as_v5", "quota.families.standardDASv5Family": 16}, "hub.runners.size",
          ("a size with a price in westus",), "Standard_D4as_v5"),
    # address plan
    Fault("hub", {f"{NETWORK}.subnets.dev": "10.60.0.128/25"}, f"{NETWORK}.subnets.dev",
          ("ranges do not overlap", "overlaps runners (10.60.0.0/24)", "range of its own")),
    Fault("hub", {f"{NETWORK}.subnets.dev": "10.61.1.0/24"}, f"{NETWORK}.subnets.dev",
          ("a subnet lies inside the address space", "outside the address space 10.60.0.0/16")),
    Fault("hub", {f"{NETWORK}.subnets.dev": "10.60.1.0/30"}, f"{NETWORK}.subnets.dev", ("has addresses for machines", "keeps five")),
    Fault("hub", {f"{NETWORK}.subnets.dev": "10.60.1.1/24"}, f"{NETWORK}.subnets.dev", ("IPv4 range", "has host bits set")),
    Fault("hub", {f"{NETWORK}.subnets.dve": "10.60.9.0/24"}, f"{NETWORK}.subnets.dve",
          ("named after its environment", "did you mean `dev`?")),
    Fault("hub", {f"{NETWORK}.subnets.runners": ABSENT}, f"{NETWORK}.subnets.runners", ("runners have a subnet", "add a range")),
    Fault("hub", {f"{NETWORK}.subnets.runners": "10.60.0.0/29", "hub.runners.names": ["a", "b", "c", "d"], "quota.cores": 20,
                  "quota.families.standardDSv5Family": 20}, f"{NETWORK}.subnets.runners", ("4 runners do not fit", "shorter prefix")),
    # rows of the environment table
    Fault("test", {f"{KVM}.gate": "HyperVL1VH"}, f"{KVM}.gate", ("test-kvm (regression", "gate off", "set it to off")),
    Fault("test", {f"{EMULATION}.gate": "ConfigurableHypervisor"}, f"{EMULATION}.gate", ("runs with the gate off",)),
    Fault("test", {f"{KVM}.cluster": ABSENT}, f"{KVM}.cluster", ("runs on a cluster", "no compute")),
    Fault("dev", {f"{DEV}.machine": ABSENT}, f"{DEV}.machine", ("runs on a machine", "add the section `machine`")),
    Fault("test", {f"{MSHV}.tests.reason": ""}, f"{MSHV}.tests.reason", ("says why", "tests nothing")),
    Fault("test", {f"{MSHV}.tests.reason": "  "}, f"{MSHV}.tests.reason", ("says why",), ""),
    Fault("dev", {f"{DEV}.machine.lifetime": "durable"}, f"{DEV}.machine.lifetime", ("always-on, working-hours, on-demand",)),
    Fault("hub", {"hub.runners.lifetime": "durable"}, "hub.runners.lifetime", ("compute has one of",)),
    # pools
    Fault("test", {f"{KVM}.cluster.workerPool.minimum": 2}, f"{KVM}.cluster.workerPool",
          ("with count between them", "refuses the pool"), "minimum 2, count 1, maximum 2"),
    Fault("test", {f"{KVM}.cluster.workerPool.count": 3, "quota.cores": 200, "quota.families.standardDSv5Family": 200},
          f"{KVM}.cluster.workerPool", ("with count between them",), "minimum 0, count 3, maximum 2"),
    Fault("test", {f"{KVM}.cluster.workerPool.minimum": ABSENT}, f"{KVM}.cluster.workerPool", ("come together",),
          "minimum None, count 1, maximum 2"),
    Fault("test", {f"{KVM}.cluster.systemPool.count": 0}, f"{KVM}.cluster.systemPool.count", ("at least one node",)),
    Fault("test", {f"{KVM}.cluster.systemPool.minimum": 0, f"{KVM}.cluster.systemPool.maximum": 2},
          f"{KVM}.cluster.systemPool.count", ("at least one node",), 2),
    Fault("test", {f"{KVM}.cluster.workerPool.name": "agentpool"}, f"{KVM}.cluster.workerPool.name", ("different names", "rename")),
    Fault("test", {f"{KVM}.cluster.workerPool.surge": "0%"}, f"{KVM}.cluster.workerPool.surge", ("should match pattern",)),
    # what stands apart
    Fault("test", {f"{EMULATION}.machine.resourceGroup": "Kubevirt-Test-MSHV-vm-rg"}, f"{EMULATION}.machine.resourceGroup",
          ("resource group of its own", "removing test-emulation would remove test-mshv")),
    Fault("test", {f"{KVM}.cluster.resourceGroup": "kubevirt-test-mshv-vm-rg"}, f"{KVM}.cluster.resourceGroup",
          ("resource group of its own",)),
    Fault("dev", {f"{DEV}.machine.name": "kubevirt.dev"}, f"{DEV}.machine.name", ("secret names", "letters, digits, `-`")),
    Fault("hub", {"hub.infrastructureRepository": "someone-else/virt-ci"}, "hub.infrastructureRepository",
          ("same owner as repository (rehearsal-org/kubevirt)", "GitHub provider")),
    # quota: which family, how much, by what
    Fault("dev", {"quota.families.standardDSv5Family": 7}, "quota.families.standardDSv5Family",
          ("8 vCPU can run at once in westus", "1 vCPU are missing", "raise it to 8")),
    Fault("dev", {"quota.families": {}}, "quota.families.standardDSv5Family", ("8 vCPU are missing",), None),
    Fault("dev", {"quota.cores": 4}, "quota.cores", ("8 vCPU can run at once", "4 vCPU are missing", "raise it to 8")),
    Fault("hub", {"quota.reserve": 5}, "quota.cores", ("12 vCPU", "5 are kept in reserve", "1 vCPU are missing"), 16, frozenset({"quota.families.standardDSv5Family"})),
    Fault("test", {"quota.families.standardDDSv5Family": 11}, "quota.families.standardDDSv5Family",
          ("12 vCPU can run at once", "1 vCPU are missing")),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_said_once_with_key_value_rule_consequence_and_fix(fault: Fault) -> None:
    found = problems(values(fault.stack, **fault.changes))
    assert found.keys() == {fault.key} | fault.also
    problem = found[fault.key]
    said = " | ".join([problem.rule, problem.consequence, problem.fix])
    assert all(words in said for words in fault.says), said
    assert problem.value == fault.shown
    assert all([problem.rule, problem.consequence, problem.fix])


def test_second_compute_is_refused() -> None:
    machine = values("dev")["environments"]["dev"]["machine"]
    found = problems(
        values("test", **{f"{KVM}.machine": {**machine, "name": "kubevirt-kvm", "resourceGroup": "kvm-rg"}})
    )
    assert "remove the section `machine`" in found[f"{KVM}.machine"].fix
    assert "never used" in found[f"{KVM}.machine"].consequence
