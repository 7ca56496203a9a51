"""The outputs of several stacks are one fleet, or the reader says which part is missing."""

import pytest

from tests.outputs.sample import changed, outputs
from virtci.core.problems import Refusal
from virtci.outputs.check import read
from virtci.outputs.fleet import fleet_of

KUBEVIRT = {
    "environment": "dev",
    "namespace": "kubevirt",
    "version": "v1.8.2",
    "registry": "registry.example/kubevirt",
    "releaseDigest": "sha256:1",
    "operatorImage": "registry.example/kubevirt/virt-operator@sha256:1",
    "gate": "off",
    "gateDeclared": "HyperVL1VH",
    "fallback": True,
    "reason": "not ready for mshv",
    "useEmulation": False,
    "testServiceAccount": "virt-ci/tests",
}


def test_an_environment_is_found_with_its_compute_and_its_vault() -> None:
    fleet = fleet_of([read(outputs())])
    target = fleet.target("dev")

    assert (target.kind, target.vault, target.region) == ("machine", "kubevirtkv", "westus")
    assert target.compute.environment == "dev"
    assert fleet.target("test-kvm").kind == "cluster"
    assert fleet.subscription == "9b5d67e7-ca39-4471-8a8e-ddf8cc14a64a"


def test_hub_and_environments_may_be_different_stacks() -> None:
    whole = outputs()
    hub = {key: whole[key] for key in ("contractVersion", "region", "vault")} | {"stack": "hub"}
    rest = {key: value for key, value in whole.items() if key != "vault"} | {"stack": "test"}

    fleet = fleet_of([read(rest), read(hub)])

    assert fleet.target("dev").stack == "test"
    assert fleet.vault.name == "kubevirtkv"


def test_the_contents_of_a_cluster_belong_to_its_environment() -> None:
    whole = outputs()
    contents = {key: whole[key] for key in ("contractVersion", "region")} | {
        "stack": "dev-kubevirt",
        "kubevirt": KUBEVIRT,
    }
    fleet = fleet_of([read({key: value for key, value in whole.items() if key != "kubevirt"}), read(contents)])
    dev, other = fleet.target("dev").kubevirt, fleet.target("test-kvm").kubevirt

    assert dev is not None
    assert dev.gate_declared == "HyperVL1VH"
    assert other is None


def test_without_the_hub_nothing_can_be_done() -> None:
    alone = {key: value for key, value in outputs().items() if key != "vault"} | {"stack": "dev"}

    with pytest.raises(Refusal, match="the outputs of the hub are read as well; these are: dev") as refused:
        fleet_of([read(alone)])
    assert refused.value.fix == "add the file of the stack `hub`"


def test_the_repository_is_the_one_that_all_environments_name() -> None:
    assert fleet_of([read(outputs())]).repository == "octo-lab/kubevirt"


def test_environments_of_two_repositories_name_none() -> None:
    with pytest.raises(Refusal) as refused:
        _ = fleet_of([read(changed("environments.dev.repository", "octo-lab/other"))]).repository
    assert refused.value.consequence == "these outputs name octo-lab/kubevirt, octo-lab/other"


def test_an_unknown_environment_gets_the_nearest_name() -> None:
    with pytest.raises(Refusal, match="`test-kmv` is an environment of these stacks: all") as refused:
        fleet_of([read(outputs())]).target("test-kmv")
    assert refused.value.fix == "did you mean `test-kvm`?"


def test_an_environment_without_its_compute_is_named() -> None:
    broken = outputs()
    broken["clusters"] = []

    with pytest.raises(Refusal, match="stack `all` lists the machine or cluster of `test-kvm`"):
        fleet_of([read(broken)])
