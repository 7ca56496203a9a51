"""One on-demand machine in AWS."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, scheduler

from components.base import Component
from virtci.boot.on_demand import packed_user_data
from virtci.core.runners import aws as rights

OS_DISK_GIB = 128
METADATA = {
    "http_endpoint": "enabled",
    "http_tokens": "required",
    "http_put_response_hop_limit": 1,
    "instance_metadata_tags": "enabled",
}
"""IMDSv2 only, and not from inside a container or a guest: a hop further than the machine itself gets no answer. A machine
reads from its tags when it is to end."""


class AwsRunnerArgs(TypedDict):
    """Arguments of `AwsRunner`. None of these may be an Output but where it says so."""

    machine_name: str
    """Also the name of its backstop: the stack's."""
    slot: str
    """The slot whose instance profile it has."""
    region: str
    zone: NotRequired[str]
    """Availability zone. Default: that of the subnet."""
    type: str
    """Instance type of the table of types."""
    nested_virtualization: bool
    """Whether machines inside it get a hypervisor; types of metal have theirs without."""
    image_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    spot: NotRequired[bool]
    """Whether the platform may take the machine back, which then is gone with its disk. Default: no."""
    boot_text: pulumi.Input[str]
    """cloud-config."""
    deadline: datetime
    """When the backstop terminates it, whatever else happens."""
    tags: Mapping[str, str]


class AwsRunner(Component):
    """The machine of one runner, in a slot that was made before: nothing here waits for a right to work.

    Resources: an `Instance` from the launch template of its region; a one-shot `Schedule` that terminates it at its
    deadline and then deletes itself. Whoever keeps the machine for longer moves the schedule. A spot instance is bought
    once and terminated when it is taken back, so it cannot be stopped and kept.

    Refuses: IMDSv1 and metadata for guests, an unencrypted disk, a public address, a key pair, a machine that is only
    stopped when it shuts down, boot texts above what the platform takes.
    """

    TYPE = "virt-ci:runner:AwsRunner"
    ARGUMENTS = AwsRunnerArgs

    outputs: dict[str, Any]
    """What the launcher reads of it."""

    def __init__(self, name: str, args: AwsRunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        machine = self._machine(args)
        self._backstop(args, machine)
        self.outputs = {
            "id": machine.id,
            "name": args["machine_name"],
            "slot": args["slot"],
            "privateAddress": machine.private_ip,
        }
        self.register_outputs({"outputs": self.outputs})

    def _machine(self, args: AwsRunnerArgs) -> ec2.Instance:
        once = {"spot_instance_type": "one-time", "instance_interruption_behavior": "terminate"}
        return ec2.Instance(
            self.child_name(),
            region=args["region"],
            launch_template={"name": rights.LAUNCH_TEMPLATE, "version": "$Default"},
            ami=args["image_id"],
            instance_type=args["type"],
            availability_zone=args.get("zone") or None,
            subnet_id=args["subnet_id"],
            iam_instance_profile=args["slot"],
            metadata_options=METADATA,
            instance_initiated_shutdown_behavior="terminate",
            root_block_device={
                "encrypted": True,
                "delete_on_termination": True,
                "volume_type": "gp3",
                "volume_size": OS_DISK_GIB,
            },
            cpu_options={"nested_virtualization": "enabled"} if args["nested_virtualization"] else None,
            instance_market_options={"market_type": "spot", "spot_options": once} if args.get("spot") else None,
            user_data_base64=pulumi.Output.secret(args["boot_text"]).apply(packed_user_data),
            tags=args["tags"],
            volume_tags=args["tags"],
            opts=self.options(),
        )

    def _backstop(self, args: AwsRunnerArgs, machine: ec2.Instance) -> None:
        scheduler.Schedule(
            self.child_name("backstop"),
            region=args["region"],
            name=args["machine_name"],
            group_name=rights.SCHEDULE_GROUP,
            schedule_expression=f"at({args['deadline'].astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            schedule_expression_timezone="UTC",
            flexible_time_window={"mode": "OFF"},
            action_after_completion="DELETE",
            target={
                "arn": rights.TERMINATE,
                "role_arn": machine.arn.apply(lambda arn: rights.role_arn(arn.split(":")[4], rights.BACKSTOP_ROLE)),
                "input": machine.id.apply(lambda instance: json.dumps({"InstanceIds": [instance]})),
            },
            opts=self.options(delete_before_replace=True),
        )
