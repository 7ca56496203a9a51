"""What surrounds a pipeline on a deployed fleet."""

from pathlib import Path

import pytest

from tests.rehearsal.azure.simulated import build
from virtci.places import ENGINE
from virtci.rehearsal.delivery import park
from virtci.rehearsal.pipeline.checkout import checkout_of_this_project, own_programs


def test_machines_of_environments_are_parked_and_no_others() -> None:
    cloud = build()
    tags = {"env": "dev", "runner": "hub", "tools": "dev-tools"}
    machines = {name: cloud.machine(name, tags={"environment": tag})[0] for name, tag in tags.items()}
    cloud.machine("untagged")

    park(cloud.manager)

    records = cloud.manager.store.of_type("Microsoft.Compute/virtualMachines")
    assert [record.id for record in records if record.notes.get("power") == "deallocated"] == [machines["env"]]


@pytest.mark.engine
def test_a_program_of_a_checkout_can_be_replaced_and_the_original_stays(tmp_path: Path) -> None:
    checkout = checkout_of_this_project(tmp_path / "virt-ci")

    programs = own_programs(checkout)
    (programs / "pulumi").unlink()
    (programs / "pulumi").write_text("stand-in")

    assert {path.name for path in programs.iterdir()} == {path.name for path in (ENGINE / "bin").iterdir()}
    assert (ENGINE / "bin" / "pulumi").stat().st_size > len("stand-in")
