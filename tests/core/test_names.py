"""The platform's rules for names: for each kind, names that it takes and names that it refuses."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.names import (
    RULES,
    Kind,
    assignment_id,
    kubeconfig_secret,
    named,
    shutdown_schedule,
    ssh_key_secret,
)
from virtci.core.problems import Refusal

ACCEPTED: dict[Kind, tuple[str, ...]] = {
    "resource_group": ("kubevirt-rg", "a", "x" * 90, "rg_(1).group", "0"),
    "virtual_machine": ("kubevirt-dev-mshv-qemu-k3s-vm", "v", "9", "vm.1", "x" * 64),
    "network_interface": ("nic", "nic_", "n.i-c", "x" * 80),
    "network_security_group": ("nsg-dev", "0", "x" * 80),
    "virtual_network": ("ab", "kubevirt-vnet", "x" * 64),
    "subnet": ("runners", "test-kvm", "x" * 80),
    "public_ip": ("egress_", "e", "x" * 80),
    "nat_gateway": ("nat", "x" * 80),
    "disk": ("_disk", "disk.-", "x" * 80),
    "snapshot": ("_kept", "run-azure-1-1-1.os", "x" * 80),
    "storage_account": ("abc", "kontainrunners", "0" * 24),
    "blob_container": ("abc", "run-stacks", "x" * 63),
    "gallery": ("g", "auto_github_runner", "a.b", "x" * 80),
    "gallery_image": ("L0BaseImage", "a-b", "x" * 80),
    "key_vault": ("kubevirtkv", "k-v", "abc", "a" * 24, "K1-2-3"),
    "secret": ("dev-kubeconfig", "-", "s" * 127),
    "workspace": ("logs", "kubevirt-logs", "x" * 63),
    "managed_cluster": ("kubevirt-e2e-tests-aks", "a", "a_b", "x" * 63),
    "agent_pool": ("agentpool", "a", "p12345678901"),
    "identity": ("abc", "virt-ci-dev", "a_-", "x" * 128),
    "federated_credential": ("classic", "x" * 120),
    "budget": ("virt-ci-hub", "_", "x" * 63),
    "role": ("virt-ci deploy", "x" * 512),
    "github_environment": ("dev", "test-mshv", "x" * 255, "a/b", "a(b)"),
    "github_variable": ("TEST_FOCUS", "_x", "a1", "x" * 255, "MY_GITHUB_"),
}
REFUSED: dict[Kind, tuple[str, ...]] = {
    "resource_group": ("", "ends.", "a b", "a/b", "x" * 91),
    "virtual_machine": ("", "-vm", "vm-", "vm.", "v_m", "x" * 65),
    "network_interface": ("", "-nic", "nic-", "_nic", "x" * 81),
    "network_security_group": ("", "nsg.", "n s", "x" * 81),
    "virtual_network": ("a", "-v", "v.", "x" * 65),
    "subnet": ("", "sub net", "x" * 81),
    "public_ip": ("", "-e", "x" * 81),
    "nat_gateway": ("", "nat-", "x" * 81),
    "disk": ("", "-disk", "d/1", "x" * 81),
    "snapshot": ("", "-kept", "k/1", "x" * 81),
    "storage_account": ("ab", "a-b", "Abc", "a_b", "x" * 25),
    "blob_container": ("ab", "a--b", "-ab", "ab-", "A-b", "x" * 64),
    "gallery": ("", "a-b", "_a", "a_", "x" * 81),
    "gallery_image": ("", "-a", "a-", "a b", "x" * 81),
    "key_vault": ("kv", "1kv", "kv-", "k--v", "k_v", "a" * 25, "kv\n"),
    "secret": ("", "a_b", "a.b", "s" * 128),
    "workspace": ("abc", "-logs", "logs-", "lo_gs", "x" * 64),
    "managed_cluster": ("", "-aks", "aks_", "a.b", "x" * 64),
    "agent_pool": ("", "1pool", "Pool", "p-1", "p123456789012"),
    "identity": ("ab", "-ab", "a.b", "x" * 129),
    "federated_credential": ("ab", "_ab", "a:b", "x" * 121),
    "budget": ("", "a b", "x" * 64),
    "role": ("", "   ", "x" * 513),
    "github_environment": ("", "a b", "a'b", 'a"b', "a,b", "a;b", "a\\b", "a`b", "x" * 256),
    "github_variable": ("", "1X", "A-B", "GITHUB_TOKEN", "A B", "x" * 256),
}
KINDS: list[Kind] = list(RULES)


def test_every_rule_has_examples_of_both() -> None:
    assert ACCEPTED.keys() == REFUSED.keys() == RULES.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_legal_names_are_taken_as_they_are(kind: Kind) -> None:
    for name in ACCEPTED[kind]:
        assert named(kind, name) == name


@pytest.mark.parametrize("kind", KINDS)
def test_illegal_names_are_refused_with_rule_consequence_and_fix(kind: Kind) -> None:
    for name in REFUSED[kind]:
        with pytest.raises(Refusal) as refused:
            named(kind, name)
        assert str(RULES[kind].maximum) in refused.value.rule
        assert RULES[kind].words in refused.value.rule
        assert "refuses" in refused.value.consequence
        assert f"{len(name)} characters" in refused.value.fix


@given(kind=st.sampled_from(KINDS), name=st.text(max_size=600))
def test_no_name_outside_the_length_is_taken(kind: Kind, name: str) -> None:
    rule = RULES[kind]
    try:
        named(kind, name)
    except Refusal:
        return
    assert rule.minimum <= len(name) <= rule.maximum


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_never_ends_in_a_line_break(kind: Kind) -> None:
    for name in ACCEPTED[kind]:
        with pytest.raises(Refusal):
            named(kind, f"{name[:-1]}\n")


def test_derived_names() -> None:
    assert shutdown_schedule("vm-1") == "shutdown-computevm-vm-1"
    assert ssh_key_secret("vm-1") == "vm-1-ssh-key"
    assert kubeconfig_secret("test-kvm") == "test-kvm-kubeconfig"


def test_machine_with_a_dot_has_no_secret_of_its_name() -> None:
    with pytest.raises(Refusal, match="secret names"):
        ssh_key_secret("vm.1")


@given(st.lists(st.text(alphabet="abc-", min_size=1), min_size=1, max_size=4))
def test_assignment_ids_are_stable_guids(parts: list[str]) -> None:
    found = assignment_id(*parts)
    assert found == assignment_id(*parts) == str(uuid.UUID(found))
    assert found != assignment_id(*parts, "other")
