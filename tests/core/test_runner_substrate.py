"""Names of what on-demand runners stand on, and what its slots need at once."""

import pytest

from virtci.core.inventory import GROUP, Resource, slot_demands
from virtci.core.problems import Refusal
from virtci.core.quota import REGIONAL, Demand, held_against, machine_demand
from virtci.core.runners.leases import slot_names
from virtci.core.runners.substrate import kept_group, log_workspace, region_of_slot


@pytest.mark.parametrize("region", ["westus", "westus2", "us-east-2", "northeurope"])
def test_a_slot_tells_its_region(region: str) -> None:
    assert {region_of_slot(name) for name in slot_names(region, 120)} == {region}


@pytest.mark.parametrize(
    "name", ["auto-runner-westus", "auto-runner-westus-1", "auto-github-runner", "x-auto-runner-westus-01", ""]
)
def test_other_names_are_no_slots(name: str) -> None:
    assert region_of_slot(name) is None


def test_derived_names_are_legal_or_refused() -> None:
    assert (kept_group("auto-github-runner"), log_workspace("auto-github-runner")) == (
        "auto-github-runner-kept",
        "auto-github-runner-logs",
    )
    with pytest.raises(Refusal, match="resource group names"):
        kept_group("r" * 86)
    with pytest.raises(Refusal, match="workspace names"):
        log_workspace("runners_1")


def groups(*names: str) -> list[Resource]:
    return [Resource(name, GROUP, {"resourceGroupName": name}) for name in names]


def test_a_slot_needs_a_unit_of_its_region() -> None:
    found = list(slot_demands(groups("auto-runner-westus-01", "auto-runner-eastus-01", "auto-github-runner")))
    assert found == [
        Demand("auto-runner-westus-01", "westus", REGIONAL, 4),
        Demand("auto-runner-eastus-01", "eastus", REGIONAL, 4),
    ]


def test_what_has_no_family_counts_in_the_total_alone() -> None:
    demands = [Demand("slot", "westus", REGIONAL, 4), machine_demand("vm", "westus", "Standard_D4s_v5")]
    lines = {line.family: line.needed for line in held_against(demands, {REGIONAL: 8, "standardDSv5Family": 4})}
    assert lines == {"standardDSv5Family": 4, REGIONAL: 8}
