"""Where a machine may run: only where it has what its jobs ask for, and never again where it would fail the same way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud
from virtci.core.runners.failures import Code, classified
from virtci.core.runners.ladder import Place, Rung, ladder, remaining
from virtci.core.runners.sizes import hourly_usd, machine_type
from virtci.core.tables import table

AZURE = Place(cloud=Cloud.AZURE, region="westus", zones=("1", "2"), types=("Standard_D4s_v5", "Standard_D4ds_v5"))
OTHER = Place(cloud=Cloud.AZURE, region="eastus", zones=(), types=("Standard_D4s_v5",))
EC2 = Place(
    cloud=Cloud.EC2,
    region="us-east-2",
    zones=("us-east-2a", "us-east-2b"),
    types=("m5.xlarge", "m8i.xlarge", "m5.metal"),
)
ALL = (AZURE, OTHER, EC2)


@pytest.mark.parametrize("capability", Capability)
def test_no_job_lands_on_a_type_without_what_it_asks_for(capability: Capability) -> None:
    assert all(rung.machine.offers(capability) for rung in ladder(capability, ALL))


def test_nested_kvm_is_not_expected_of_m5() -> None:
    types = {rung.type for rung in ladder(Capability.KVM_NESTED, [EC2])}
    assert types == {"m8i.xlarge"}


def test_whole_host_is_for_who_asks_for_one() -> None:
    assert {rung.type for rung in ladder(Capability.KVM_METAL, ALL)} == {"m5.metal"}
    assert all(
        not rung.machine.metal for kind in Capability if kind is not Capability.KVM_METAL for rung in ladder(kind, ALL)
    )


def test_mshv_is_on_azure_only() -> None:
    assert {rung.cloud for rung in ladder(Capability.MSHV, ALL)} == {Cloud.AZURE}
    with pytest.raises(Refusal, match="capability mshv"):
        ladder(Capability.MSHV, [EC2])


def test_order_is_size_zone_region_cloud() -> None:
    found = [(rung.cloud, rung.region, rung.zone, rung.type) for rung in ladder(Capability.KVM_NESTED, ALL)]
    assert found[:5] == [
        (Cloud.AZURE, "westus", "1", "Standard_D4s_v5"),
        (Cloud.AZURE, "westus", "1", "Standard_D4ds_v5"),
        (Cloud.AZURE, "westus", "2", "Standard_D4s_v5"),
        (Cloud.AZURE, "westus", "2", "Standard_D4ds_v5"),
        (Cloud.AZURE, "eastus", "", "Standard_D4s_v5"),
    ]
    assert {cloud for cloud, *_ in found[5:]} == {Cloud.EC2}


def test_what_was_taken_back_is_not_tried_at_mercy_again() -> None:
    rungs = ladder(Capability.NONE, [OTHER], spot=True)
    assert [rung.spot for rung in rungs] == [True, False]
    assert [rung.spot for rung in remaining(rungs, rungs[0], Code.SPOT_EVICTED)] == [False]


@given(st.sampled_from(list(Code)), st.sampled_from(list(Capability)), st.data())
def test_every_failure_shortens_the_ladder_and_keeps_its_order(
    code: Code, capability: Capability, data: st.DataObject
) -> None:
    rungs = ladder(capability, ALL)
    failed = data.draw(st.sampled_from(rungs))
    left = remaining(rungs, failed, code)
    assert failed not in left
    assert [rung for rung in rungs if rung in left] == list(left)


@pytest.mark.parametrize(
    ("code", "tried_next"),
    [
        (Code.CAPACITY, (Cloud.AZURE, "westus", "1", "Standard_D4ds_v5")),
        (Code.QUOTA, (Cloud.AZURE, "westus", "1", "Standard_D4ds_v5")),
        (Code.HYPERVISOR_ABSENT, (Cloud.AZURE, "westus", "1", "Standard_D4ds_v5")),
        (Code.IMAGE, (Cloud.AZURE, "eastus", "", "Standard_D4s_v5")),
        (Code.NETWORK, (Cloud.AZURE, "eastus", "", "Standard_D4s_v5")),
        (Code.AGENT, (Cloud.EC2, "us-east-2", "us-east-2a", "m5.xlarge")),
    ],
)
def test_next_try_is_the_nearest_that_may_do(code: Code, tried_next: tuple[str, ...]) -> None:
    rungs = ladder(Capability.NONE, ALL)
    found = remaining(rungs, rungs[0], code)[0]
    assert (found.cloud, found.region, found.zone, found.type) == tried_next


@pytest.mark.parametrize("code", [Code.GITHUB, Code.INTERNAL])
def test_what_no_place_can_help_is_not_tried_elsewhere(code: Code) -> None:
    rungs = ladder(Capability.NONE, ALL)
    assert remaining(rungs, rungs[0], code) == ()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Code: OperationNotAllowed; exceeding approved standardDSv5Family Cores quota", Code.QUOTA),
        ("ZonalAllocationFailed: Allocation failed", Code.CAPACITY),
        ("An error occurred (InsufficientInstanceCapacity) when calling RunInstances", Code.CAPACITY),
        ("(VcpuLimitExceeded) You have requested more vCPU capacity", Code.QUOTA),
        ("(InvalidAMIID.NotFound) The image id does not exist", Code.IMAGE),
        ("OSProvisioningTimedOut", Code.IMAGE),
        ("(InsufficientFreeAddressesInSubnet)", Code.NETWORK),
        ("something new", Code.INTERNAL),
    ],
)
def test_what_a_platform_says_has_a_code(said: str, code: Code) -> None:
    assert classified(said) is code


@pytest.mark.parametrize("name", table("aws-types")["types"])
def test_every_type_has_a_price_where_the_table_says_so(name: str) -> None:
    for region in table("aws-types")["priced_as"]:
        assert hourly_usd(Cloud.EC2, region, name) > 0
    with pytest.raises(Refusal, match="price"):
        hourly_usd(Cloud.EC2, "eu-central-9", name)


def test_larger_machines_take_more_units() -> None:
    assert [machine_type(Cloud.EC2, name).units for name in ("m5.xlarge", "m5.2xlarge", "m5.metal")] == [1, 2, 24]


def test_unknown_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refusal, match="row in virtci/data/aws-types") as refusal:
        machine_type(Cloud.EC2, "m5.xlarg")
    assert "m5.xlarge" in refusal.value.fix


def test_rung_says_where_it_is() -> None:
    rung = Rung(cloud=Cloud.EC2, region="us-east-2", zone="us-east-2a", type="m5.xlarge", spot=True)
    assert str(rung) == "m5.xlarge in ec2 us-east-2 zone us-east-2a (spot)"
    assert rung.pool == "ec2-us-east-2"
