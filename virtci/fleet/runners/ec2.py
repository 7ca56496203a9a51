"""EC2 at run time: the machines of runs in the account, and what is kept of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from virtci.core.problems import Refusal
from virtci.core.runners import aws as rights
from virtci.core.runners.aws_quota import SERVICE, STANDARD_QUOTA, units_left
from virtci.core.runners.boot_record import (
    boot_parameter,
    failure_of,
    read_boot_parameter,
    registration_parameter,
    waits_for_registration,
)
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.images import require_latest
from virtci.core.runners.ladder import Rung
from virtci.core.runners.substrate import region_of_slot
from virtci.core.runners.sweep import SeenMachine
from virtci.core.runners.tags import FORMAT, KEPT_UNTIL, RunTags, read_run_tags
from virtci.fleet.aws_clouds import AwsClouds
from virtci.fleet.runners.aws_images import AwsImages
from virtci.fleet.runners.aws_troubles import answering, unless_absent
from virtci.fleet.runners.ec2_instances import THERE, Instance, Instances, move_into
from virtci.fleet.runners.launcher import Observe
from virtci.fleet.runners.objects import Document, Objects, update
from virtci.fleet.runners.ports import BootReport, Credential, StartFailed
from virtci.outputs.contract import AwsRunnersPart, AwsRunnersRegionPart

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

BACKSTOP_GRACE = timedelta(minutes=30)
"""How long after a kept machine's time its schedule takes it down: a sweep comes first and takes its stack along."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ec2Runners:
    """The machines of runs in AWS (`RunnerCloud`); whatever does not carry the owner tags of `system` is left alone."""

    part: AwsRunnersPart
    """What the stack of the runners has in AWS."""
    image_name: str
    system: str
    clouds: AwsClouds
    objects: Objects
    """Where evidence is kept: `evidence/STACK`."""
    observe: Observe

    @property
    def cloud(self) -> Cloud:
        """EC2."""
        return Cloud.EC2

    @property
    def frees_by_deletion(self) -> bool:
        """EC2 does not count what is stopped."""
        return False

    def room(self, rung: Rung) -> int:
        """Units that the On-Demand Standard quota of the region leaves to us, our own machines included.

        For spot machines as well: their own quota refuses by itself, which costs a rung of the ladder and no wait.
        """
        seen = self._ours_in(rung.region)
        others = self._instances.others_vcpus(rung.region, (machine.id for machine in seen))
        return units_left(self._limit(rung.region), others)

    def image(self, region: str) -> str:
        """The AMI of the version that is promoted. Raises `StartFailed` when there is none."""
        images = AwsImages(
            clients={region: self.clouds.ec2(region)}, name=self.image_name, guard=partial(answering, "ec2")
        )
        versions = images.versions()
        try:
            latest = require_latest(versions, self.image_name, self.cloud)
        except Refusal as missing:
            raise StartFailed(Code.IMAGE, f"{region}: {missing.rule}; {missing.fix}") from None
        return latest.ids[0].partition("/")[2]

    def place(self, rung: Rung) -> Mapping[str, str]:
        """The subnet of the rung's zone, or of the first one. Raises `StartFailed` where there is none."""
        subnets = self._region(rung.region).subnet_ids
        zone = rung.zone or next(iter(subnets))
        if zone not in subnets:
            raise StartFailed(Code.NETWORK, f"{rung.region} has subnets in {', '.join(subnets)}, and none in {zone}")
        return {"subnet": subnets[zone]}

    def machines(self) -> list[SeenMachine]:
        """Machines of ours that are not terminated, in all regions. One whose tags were changed is told of and left out."""
        return [machine for region in self.part.regions for machine in self._ours_in(region)]

    def boot(self, stack: str, slot: str) -> BootReport | None:
        """What the machine tells; nothing before its first word, and nothing of what an earlier machine of the slot told."""
        instance = self._find(stack, slot)
        if instance is None:
            return None
        name = boot_parameter(slot)
        with answering("ssm", f"parameter {name}"):
            found = unless_absent(partial(self.clouds.parameters(instance.region).get_parameter, Name=name))
        if found is None:
            return None
        try:
            boot = read_boot_parameter(found["Parameter"].get("Value", ""), instance.id)
        except Refusal as unreadable:
            at = found["Parameter"].get("LastModifiedDate", datetime.now(UTC)).astimezone(UTC)
            return BootReport(stage="unreadable", at=at, probed=False, failure=Code.IMAGE, reason=unreadable.rule)
        if boot is None:
            return None
        return BootReport(
            stage=boot.stage.value,
            at=boot.at,
            probed=waits_for_registration(boot),
            failure=failure_of(boot),
            reason=boot.reason,
        )

    def state(self, stack: str, slot: str) -> str:
        """`running`, `stopped`, `evicted` or `absent`; evicted for as long as EC2 remembers it, about an hour."""
        instance = self._find(stack, slot)
        if instance and instance.is_there:
            return "running" if instance.holds_vcpus else "stopped"
        return "evicted" if instance and instance.was_taken_back else "absent"

    def deliver(self, slot: str, credential: Credential) -> None:
        """Puts a credential into the parameter that the slot's role alone reads, in place of what lies there."""
        name = registration_parameter(slot)
        with answering("ssm", f"parameter {name}"):
            # The tier is the advanced one for more than 4 KB only, which a just-in-time configuration has
            # (github-aws-runners/terraform-aws-github-runner#4613, 2025-06).
            self.clouds.parameters(self._region_of(slot)).put_parameter(
                Name=name, Value=credential.text, Type="SecureString", Overwrite=True, Tier="Intelligent-Tiering"
            )

    def withdraw(self, slot: str) -> None:
        """Deletes the parameter; one that the machine deleted itself is a success."""
        name = registration_parameter(slot)
        with answering("ssm", f"parameter {name}"):
            unless_absent(partial(self.clouds.parameters(self._region_of(slot)).delete_parameter, Name=name))

    def keep(self, stack: str, slot: str, tags: RunTags) -> None:
        """Stops the machine, with its console as evidence. A spot machine cannot be stopped: its console alone is kept.

        First come the tags, so that whoever finds the machine knows what it is, and the schedule that would terminate it
        at its first deadline. The timer of the machine itself, which would terminate it too, does not run while it is off.
        """
        if tags.keep_until is None:
            raise ValueError(f"{stack} is kept without an end")
        instance = self._find(stack, slot)
        if instance is None:
            return
        if instance.is_there:
            self._tag(instance, {"deadline": tags.deadline, KEPT_UNTIL: tags.keep_until})
            self._move_backstop(stack, instance, tags.keep_until + BACKSTOP_GRACE)
        self._save_console(stack, instance)
        if instance.is_there:
            self._turn_off(instance)

    def revive(self, stack: str, slot: str, tags: RunTags) -> Mapping[str, str]:
        """Turns a kept machine on in another slot, whose identity it gets: its own may be another machine's by now.

        What ends it at its deadline stops it; its schedule terminates it after its week. Raises `StartFailed`.
        """
        region = self._region_of(slot)
        instance = next(iter(self._instances.ours(region, THERE, stack=stack)), None)
        if instance is None:
            raise StartFailed(Code.CAPACITY, f"{stack} is gone: its week is over, or it was a spot machine")
        client = self.clouds.ec2(region)
        self._tag(instance, {"deadline": tags.deadline})
        with answering("ec2", f"instance {instance.id}"):
            client.create_tags(Resources=[instance.id], Tags=[{"Key": "slot", "Value": tags.slot}])
            move_into(client, instance.id, tags.slot)
            client.modify_instance_attribute(
                InstanceId=instance.id, Attribute="instanceInitiatedShutdownBehavior", Value="stop"
            )
            client.start_instances(InstanceIds=[instance.id])
        return {}

    def login(self, machine: SeenMachine, user: str) -> Sequence[str]:
        """Through Session Manager, which needs no open port."""
        return rights.session(self._region_of(machine.tags.slot), machine.id, user)

    def discard(self, machine: SeenMachine) -> None:
        """Terminates a kept machine, and takes its schedule away; what is gone already is a success."""
        region = self._region_of(machine.tags.slot)
        name = machine.tags.stack
        if any(item.id == machine.id for item in self._instances.ours(region, THERE, stack=name)):
            with answering("ec2", f"instance {machine.id}"):
                unless_absent(partial(self.clouds.ec2(region).terminate_instances, InstanceIds=[machine.id]))
        group = self._region(region).schedule_group
        with answering("scheduler", f"schedule {name}"):
            unless_absent(partial(self.clouds.schedules(region).delete_schedule, Name=name, GroupName=group))

    @property
    def _instances(self) -> Instances:
        return Instances(self.clouds, self.system)

    def _ours_in(self, region: str) -> list[SeenMachine]:
        return [seen for item in self._instances.ours(region, THERE) if (seen := self._seen(item))]

    def _seen(self, instance: Instance) -> SeenMachine | None:
        try:
            tags = read_run_tags(instance.tags, self.system)
        except Refusal as tampered:
            self.observe(instance.id, f"left alone: {tampered.rule}; {tampered.consequence}; {tampered.fix}")
            return None
        if tags is None:
            return None
        if region_of_slot(tags.slot) != instance.region:
            self.observe(instance.id, f"left alone: it is in {instance.region} and says that its slot is {tags.slot}")
            return None
        return SeenMachine(
            cloud=self.cloud,
            id=instance.id,
            tags=tags,
            created=instance.raw["LaunchTime"].astimezone(UTC),
            holds_vcpus=instance.holds_vcpus,
        )

    def _find(self, stack: str, slot: str) -> Instance | None:
        """The machine of a stack in a slot; where there is none any more, the last one that was."""
        found = self._instances.ours(self._region_of(slot), stack=stack, slot=slot)
        return max(found, key=lambda item: (item.is_there, item.raw["LaunchTime"]), default=None)

    def _limit(self, region: str) -> int:
        """The quota as AWS has it; where that cannot be asked, as it was declared."""
        try:
            with answering("servicequotas", f"quota {STANDARD_QUOTA} in {region}"):
                found = self.clouds.quotas(region).get_service_quota(ServiceCode=SERVICE, QuotaCode=STANDARD_QUOTA)
                return int(found["Quota"]["Value"])
        except (StartFailed, Refusal) as error:
            declared = self._region(region).vcpus
            self.observe(region, f"the declared quota of {declared} vCPU counts: {error}")
            return declared

    def _region(self, name: str) -> AwsRunnersRegionPart:
        if name not in self.part.regions:
            raise Refusal(
                f"region `{name}` is one of the runners' stack: {', '.join(self.part.regions)}",
                "nothing can be done there",
                "deploy the stack with that region, or read its outputs again",
            )
        return self.part.regions[name]

    def _region_of(self, slot: str) -> str:
        region = region_of_slot(slot) or slot
        self._region(region)
        return region

    def _tag(self, instance: Instance, moments: Mapping[str, datetime]) -> None:
        tags: list[TagTypeDef] = [
            {"Key": name, "Value": moment.astimezone(UTC).strftime(FORMAT)} for name, moment in moments.items()
        ]
        with answering("ec2", f"instance {instance.id}"):
            self.clouds.ec2(instance.region).create_tags(Resources=[instance.id], Tags=tags)

    def _move_backstop(self, stack: str, instance: Instance, at: datetime) -> None:
        """Gives the schedule of the machine another time, or makes it where it is missing."""
        schedules = self.clouds.schedules(instance.region)
        wanted: dict[str, Any] = {
            "Name": stack,
            "GroupName": self._region(instance.region).schedule_group,
            "ScheduleExpression": f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": rights.TERMINATE,
                "RoleArn": self.part.backstop_role_arn,
                "Input": json.dumps({"InstanceIds": [instance.id]}),
            },
        }
        with answering("scheduler", f"schedule {stack}"):
            if unless_absent(partial(schedules.update_schedule, **wanted)) is None:
                schedules.create_schedule(**wanted)

    def _save_console(self, stack: str, instance: Instance) -> None:
        """Writes what the console shows; whatever goes wrong with it, the machine has to be turned off."""
        console, why = "", ""
        try:
            with answering("ec2", f"the console of instance {instance.id}"):
                told = self.clouds.ec2(instance.region).get_console_output(InstanceId=instance.id, Latest=True)
                console = told.get("Output", "")
        except (StartFailed, Refusal) as error:
            why = str(error)
            self.observe(stack, f"its console is not kept: {error}")
        document: Document = {"cloud": self.cloud.value, "machine": instance.id, "console": console, "why": why}

        def change(known: Document | None) -> tuple[Document | None, None]:
            return (None if known and known["console"] and not console else document), None

        update(self.objects, f"evidence/{stack}", change)

    def _turn_off(self, instance: Instance) -> None:
        ec2 = self.clouds.ec2(instance.region)
        turn_off = ec2.terminate_instances if instance.is_spot else ec2.stop_instances
        with answering("ec2", f"instance {instance.id}"):
            unless_absent(partial(turn_off, InstanceIds=[instance.id]))
