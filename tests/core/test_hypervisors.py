"""What a hypervisor asks of a machine."""

import pytest

from virtci.core.hypervisors import REQUIREMENTS, Hypervisor, require_fit
from virtci.core.problems import Refusal
from virtci.core.sizes import Size, size


def machine(vcpus: int = 8, memory: float = 32, nested: bool = True) -> Size:
    return Size(
        name="Standard_Test",
        family="testFamily",
        vcpus=vcpus,
        memory_gib=memory,
        nested_virtualization=nested,
        accelerated_networking=True,
        ephemeral_os_disk=False,
        max_nics=2,
    )


def test_every_hypervisor_has_requirements() -> None:
    assert REQUIREMENTS.keys() == set(Hypervisor)


@pytest.mark.parametrize("hypervisor", [Hypervisor.MSHV, Hypervisor.KVM])
def test_hardware_hypervisors_need_nested_virtualization(hypervisor: Hypervisor) -> None:
    with pytest.raises(Refusal, match="nested virtualization") as refused:
        require_fit(hypervisor, machine(nested=False))
    assert f"/dev/{hypervisor}" in refused.value.consequence


def test_emulation_needs_no_nested_virtualization() -> None:
    require_fit(Hypervisor.EMULATION, machine(nested=False))


@pytest.mark.parametrize("hypervisor", list(Hypervisor))
def test_smallest_machine_fits_and_anything_smaller_does_not(hypervisor: Hypervisor) -> None:
    needed = REQUIREMENTS[hypervisor]
    require_fit(hypervisor, machine(needed.minimum_vcpus, needed.minimum_memory_gib))
    for vcpus, memory in ((needed.minimum_vcpus - 1, 999), (999, needed.minimum_memory_gib - 0.5)):
        with pytest.raises(Refusal) as refused:
            require_fit(hypervisor, machine(vcpus, memory))
        assert f"{needed.minimum_vcpus} vCPU and {needed.minimum_memory_gib} GiB" in refused.value.rule
        assert f"has {vcpus} and {memory:g}" in refused.value.rule


@pytest.mark.parametrize(
    ("hypervisor", "name"),
    [
        (Hypervisor.MSHV, "Standard_D8s_v5"),
        (Hypervisor.EMULATION, "Standard_D64s_v5"),
        (Hypervisor.KVM, "Standard_D8s_v5"),
    ],
)
def test_sizes_of_the_fleet_fit(hypervisor: Hypervisor, name: str) -> None:
    require_fit(hypervisor, size(name))
