"""What L1VH needs: versions are compared as versions, and every shortfall is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.core.probe_documents import ABSENT, LOCKED, probe
from virtci.core.capabilities import capabilities, cluster_shortfalls, is_older, shortfalls
from virtci.core.environments import Gate
from virtci.core.hypervisors import REQUIREMENTS, Hypervisor
from virtci.core.probes import read_probe
from virtci.core.problems import Refusal

NUMBERS = some.lists(some.integers(0, 200), min_size=1, max_size=4)


def found(**changes: Any) -> tuple[str, ...]:
    return shortfalls(read_probe(probe(**changes), "node n1"))


def dotted(numbers: list[int]) -> str:
    return ".".join(map(str, numbers))


def test_capable_node_lacks_nothing() -> None:
    assert found() == ()


def test_node_without_qemu_and_libvirt_lacks_nothing() -> None:
    assert found(qemu=None, libvirt=None) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kernel": "6.5.9.mshv1-1.azl3"}, "kernel 6.5.9.mshv1-1.azl3: at least 6.6 is needed"),
        ({"kernel": "6.5.0-generic"}, "kernel 6.5.0-generic: at least 6.6 is needed"),
        ({"kernel": "6.18.4-generic", "mshv": ABSENT}, "kernel 6.18.4-generic: at least 6.19 is needed"),
        ({"kernel": "6.6.96.1-1.azl3", "mshv": LOCKED}, "kernel 6.6.96.1-1.azl3: at least 6.19 is needed"),
        ({"kernel": "unknown"}, "kernel unknown: a version begins with numbers"),
        ({"architecture": "aarch64"}, "architecture aarch64: L1VH exists for linux/amd64 only"),
        ({"memoryMiB": 15258}, "memory 15258 MiB: at least 16 GB is needed"),
        ({"qemu": {"version": "10.1.2", "accelerators": ["mshv"]}}, "QEMU 10.1.2: at least 10.2.0 is needed"),
        ({"qemu": {"version": "10.2.0-rc3", "accelerators": ["mshv"]}}, "QEMU 10.2.0-rc3: at least 10.2.0 is needed"),
        ({"qemu": {"version": "10.2.0", "accelerators": ["kvm", "tcg"]}}, "QEMU 10.2.0 is built without"),
        ({"libvirt": "11.9.0"}, "libvirt 11.9.0: at least 11.10.0 is needed"),
    ],
)
def test_shortfall_is_named_alone(changes: dict[str, Any], said: str) -> None:
    only = found(**changes)

    assert len(only) == 1
    assert only[0].startswith(said)


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": "6.6"},
        {"kernel": "6.6.135.mshv2-1.azl3", "mshv": ABSENT},
        {"kernel": "6.19.0", "mshv": ABSENT},
        {"kernel": "7.0.1-azure"},
        {"memoryMiB": 15259},
        {"architecture": "amd64"},
        {"qemu": {"version": "10.2", "accelerators": ["mshv"]}},
        {"qemu": {"version": "10.2.0-1.azl3", "accelerators": ["mshv"]}},
        {"libvirt": "11.10.0-12.el9"},
        {"libvirt": "12.0.0"},
    ],
)
def test_smallest_versions_and_newer_ones_suffice(changes: dict[str, Any]) -> None:
    assert found(**changes) == ()


def test_all_shortfalls_are_reported_together() -> None:
    assert len(found(kernel="5.15.0", architecture="aarch64", memoryMiB=8000, libvirt="8.0.0")) == 4


def test_upstream_gate_needs_a_kubevirt_that_knows_it() -> None:
    gate = Gate.CONFIGURABLE_HYPERVISOR

    assert cluster_shortfalls(gate, "v1.8.2-l1vh.17", "v1.34.1+k3s1") == ()
    assert cluster_shortfalls(gate, "v1.8.0", "v1.31.0") == ()
    assert cluster_shortfalls(gate, "v1.7.3", "v1.30.9+k3s1") == (
        "Kubernetes v1.30.9+k3s1: at least 1.31 is needed; the L1VH plan builds on no older one",
        "KubeVirt v1.7.3: at least 1.8.0 is needed; older ones ignore the gate without a word",
    )
    assert cluster_shortfalls(gate, "v1.8.0-rc.1", "v1.34.1")[0].startswith("KubeVirt v1.8.0-rc.1")


def test_version_of_kubernetes_that_is_not_known_yet_is_not_judged() -> None:
    assert cluster_shortfalls(Gate.CONFIGURABLE_HYPERVISOR, "v1.8.0") == ()
    assert len(cluster_shortfalls(Gate.CONFIGURABLE_HYPERVISOR, "v1.7.3")) == 1


def test_gate_of_the_fork_asks_for_no_release_of_kubevirt_and_no_gate_for_nothing() -> None:
    assert cluster_shortfalls(Gate.HYPERV_L1VH, "v1.5.0", "v1.34.1") == ()
    assert len(cluster_shortfalls(Gate.HYPERV_L1VH, "v1.5.0", "v1.30.0")) == 1
    assert cluster_shortfalls(Gate.OFF, "v1.0.0", "v1.20.0") == ()


@given(NUMBERS, NUMBERS)
def test_versions_compare_by_number_with_missing_parts_as_zero(left: list[int], right: list[int]) -> None:
    longest = max(len(left), len(right))
    padded = [item + [0] * (longest - len(item)) for item in (left, right)]

    assert is_older(dotted(left), dotted(right)) == (padded[0] < padded[1])


def test_version_without_numbers_is_refused() -> None:
    with pytest.raises(Refusal, match="begins with numbers"):
        is_older("latest", "1.0")


def test_every_capability_says_who_says_so() -> None:
    rows = capabilities()

    assert set(rows) == {
        "architecture", "memory", "kernel", "kernel-mainline", "qemu", "libvirt", "kubevirt", "kubernetes",
    }  # fmt: skip
    assert all(row.what and row.minimum and row.why and row.source for row in rows.values())


def test_table_agrees_with_the_sizes_that_the_settings_take() -> None:
    assert int(capabilities()["memory"].minimum.split()[0]) == REQUIREMENTS[Hypervisor.MSHV].minimum_memory_gib
