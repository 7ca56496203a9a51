"""On-demand runners in AWS: the substrate is deployed, then a machine of a run, by the real engine with the real policies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.rehearsal.stage import Stage, kinds, stage
from tests.settings.test_runner_faults import MACHINE
from virtci.core.runners.aws import LAUNCHER_ROLE
from virtci.core.runners.tags import read_run_tags
from virtci.outputs.check import contract_faults, read
from virtci.outputs.contract import AwsRunnersRegionPart
from virtci.rehearsal.aws.access import Need, refused
from virtci.rehearsal.aws.calls import client
from virtci.rehearsal.aws.scenario import Attached
from virtci.rehearsal.engine import Run

pytestmark = pytest.mark.engine

RUN = "run-ec2-4711-1-1"
SLOT = "auto-runner-us-east-2-02"
REGION = "us-east-2"
DAY = 86_400


@dataclass
class Substrate:
    """The deployed stack `kontain`, and an image."""

    on: Stage
    place: AwsRunnersRegionPart
    image: str

    @property
    def aws(self) -> Attached:
        assert self.on.world.aws
        return self.on.world.aws

    def ask(self, service: str) -> Any:
        return client(self.aws.endpoint.url, service, REGION)

    def declare(self, name: str = RUN, **changes: Any) -> None:
        """The configuration of one machine's stack, as the launcher writes it."""
        content = yaml.safe_load((self.on.workspace.project / "Pulumi.kontain.yaml").read_text())["config"]
        for key in ("virt-ci:runners", "virt-ci:budget"):
            del content[key]
        content["virt-ci:runner"] = {
            **MACHINE, "cloud": "ec2", "name": "ec2-runner-CI-7", "label": "virt-ci-ec2-4711-1-1-0a1b2c3d",
            "capability": "kvm-nested", "size": "m8i.xlarge", "region": REGION, "zone": "us-east-2b", "slot": SLOT,
            "image": self.image, "subnet": self.place.subnet_ids["us-east-2b"], "vault": "",
            "deadline": "2026-01-05T20:00:00Z", **changes,
        }  # fmt: skip
        (self.on.workspace.project / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": content}))

    def living(self) -> list[str]:
        """The machines that run."""
        states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        groups = self.ask("ec2").describe_instances(Filters=states)["Reservations"]
        return [item["InstanceId"] for group in groups for item in group["Instances"]]

    def machine(self, instance: str) -> Any:
        found = self.ask("ec2").describe_instances(InstanceIds=[instance])
        return found["Reservations"][0]["Instances"][0]


def in_aws(config: dict[str, Any]) -> None:
    """The AWS half alone, with room for three machines."""
    config["virt-ci:runners"].pop("azure", None)
    config["virt-ci:runners"]["aws"]["regions"][REGION]["vcpus"] = 16


@pytest.fixture(scope="module")
def substrate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Substrate]:
    with stage(tmp_path_factory.mktemp("kontain"), ("kontain",), edits={"kontain": in_aws}) as on:
        on.up("kontain")
        outputs = on.workspace.outputs("kontain")
        assert contract_faults(outputs) == []
        runners = read(outputs).runners
        assert runners
        assert runners.aws
        assert on.world.aws
        disk = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 32}}]
        made = client(on.world.aws.endpoint.url, "ec2", REGION).register_image(
            Name="L0BaseImage", RootDeviceName="/dev/sda1", Architecture="x86_64", BlockDeviceMappings=disk
        )
        yield Substrate(on, runners.aws.regions[REGION], made["ImageId"])
        assert on.workspace.destroy("kontain").succeeded
        assert on.world.aws.cloud.remaining() == []


@dataclass(frozen=True)
class Made:
    """A machine that the engine made for a run."""

    preview: Run
    run: Run
    again: Run
    outputs: dict[str, Any]


@pytest.fixture(scope="module")
def made(substrate: Substrate) -> Iterator[Made]:
    """A machine; at its end it is gone by itself, and its stack goes in peace."""
    substrate.declare()
    workspace = substrate.on.workspace
    preview, run = workspace.preview(RUN), substrate.on.up(RUN)
    outputs = workspace.outputs(RUN)["runner"]
    yield Made(preview, run, workspace.preview(RUN, policies=False), outputs)
    substrate.on.world.clock.advance(DAY)
    assert not substrate.living()
    assert workspace.destroy(RUN).succeeded


def test_there_are_as_many_slots_as_units(substrate: Substrate) -> None:
    assert list(substrate.place.slots) == [f"auto-runner-us-east-2-0{number}" for number in (1, 2, 3)]


def test_a_machine_of_a_run_keeps_the_policies_and_stays_as_it_is(made: Made) -> None:
    assert made.preview.verdicts == []
    assert kinds(made.run, "create") == [
        "aws:ec2/instance:Instance", "aws:scheduler/schedule:Schedule", "pulumi:providers:aws", "pulumi:pulumi:Stack",
        "virt-ci:runner:AwsRunner",
    ]  # fmt: skip
    assert made.again.changes == {}


def test_it_is_what_was_asked_for(substrate: Substrate, made: Made) -> None:
    found = substrate.machine(made.outputs["id"])
    tags = read_run_tags({tag["Key"]: tag["Value"] for tag in found["Tags"]}, "kontain")

    assert tags
    assert (tags.stack, tags.slot, tags.shown) == (RUN, SLOT, "ec2-runner-CI-7")
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]}["Name"] == "ec2-runner-CI-7"
    assert found["SubnetId"] == substrate.place.subnet_ids["us-east-2b"]
    assert [group["GroupId"] for group in found["SecurityGroups"]] == [substrate.place.security_group_id]
    assert found["IamInstanceProfile"]["Arn"].endswith(f"/{SLOT}")
    assert found["CpuOptions"]["NestedVirtualization"] == "enabled"
    assert "PublicIpAddress" not in found


def test_the_launcher_of_the_deployed_stack_may_end_it_and_nothing_of_others(substrate: Substrate, made: Made) -> None:
    resource = f"arn:aws:ec2:{REGION}:000000000000:instance/{made.outputs['id']}"
    ours = {"aws:ResourceTag/managed-by": "virt-ci", "aws:ResourceTag/system": "kontain"}

    needs = [Need("ec2:TerminateInstances", resource, context) for context in (ours, {})]

    assert [refused(substrate.aws.cloud, LAUNCHER_ROLE, [need]) for need in needs] == [None, needs[1]]


def test_a_machine_that_breaks_a_rule_is_refused_before_it_is_made(substrate: Substrate) -> None:
    name = "run-ec2-4712-1-1"
    substrate.declare(name, region="us-east-1", slot="auto-runner-us-east-1-01")

    found = {verdict.policy for verdict in substrate.on.workspace.preview(name).mandatory}

    assert found == {"regions-allowed"}


def test_want_of_quota_is_told_in_the_platforms_words(substrate: Substrate, made: Made) -> None:
    assert made.run.succeeded
    name = "run-ec2-4713-1-1"
    substrate.declare(name, size="m8i.4xlarge", slot="auto-runner-us-east-2-01")

    run = substrate.on.workspace.up(name)

    assert not run.succeeded
    assert any("VcpuLimitExceeded" in error for error in run.errors)
    assert substrate.on.workspace.destroy(name).succeeded


def test_what_was_changed_behind_its_back_is_found_by_a_refresh(substrate: Substrate, made: Made) -> None:
    substrate.ask("ec2").modify_instance_metadata_options(InstanceId=made.outputs["id"], HttpTokens="optional")

    substrate.on.workspace.stack(RUN).refresh()
    run = substrate.on.workspace.preview(RUN)

    assert [step for urn, step in run.changes.items() if urn.endswith("Instance::runner")] == ["update"]
    substrate.on.up(RUN)
    assert substrate.machine(made.outputs["id"])["MetadataOptions"]["HttpTokens"] == "required"
