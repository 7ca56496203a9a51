"""A place for one on-demand machine in AWS, made before any machine."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
from pulumi_aws import iam, ssm

from components.base import Component
from virtci.core.runners import aws as rights
from virtci.core.runners.boot_record import NO_BOOT, boot_parameter, registration_parameter


class AwsRunnerSlotArgs(TypedDict):
    """Arguments of `AwsRunnerSlot`. None of these may be an Output."""

    slot_name: str
    """Name of the slot; its role and its instance profile are called the same."""
    account: str
    region: str
    tags: Mapping[str, str]


class AwsRunnerSlot(Component):
    """What a machine acts as. IAM takes a while to know of a change everywhere, so no start makes one.

    Resources: a `Role`, its `RolePolicy`, an `InstanceProfile` and the `Parameter` in which the machine tells of its boot.

    The machine reads and deletes its own registration, whose parameter comes and goes with each machine and is not
    declared. It keeps the connection through which people look at a machine that was kept: Session Manager, because there
    is no public address and no open port.

    Refuses: AWS's own policy for Session Manager (`AmazonSSMManagedInstanceCore`), which reads the parameters of all slots.
    """

    TYPE = "virt-ci:runner:AwsRunnerSlot"
    ARGUMENTS = AwsRunnerSlotArgs

    outputs: dict[str, Any]
    """The slot in the output contract."""

    def __init__(self, name: str, args: AwsRunnerSlotArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        slot = args["slot_name"]
        role = iam.Role(
            self.child_name(),
            name=slot,
            path=rights.PATH,
            description=f"What the machine in {slot} acts as",
            assume_role_policy=json.dumps(rights.machine_trust()),
            tags=args["tags"],
            opts=self.options(delete_before_replace=True),
        )
        iam.RolePolicy(
            self.child_name("rights"),
            name="registration",
            role=role.name,
            policy=json.dumps(rights.machine_policy(args["account"], args["region"], slot)),
            opts=self.options(delete_before_replace=True),
        )
        profile = iam.InstanceProfile(
            self.child_name("profile"),
            name=slot,
            path=rights.PATH,
            role=role.name,
            tags=args["tags"],
            opts=self.options(delete_before_replace=True),
        )
        # Machines write it over and over; nothing but this stack would ever delete it.
        boot = ssm.Parameter(
            self.child_name("boot"),
            name=boot_parameter(slot),
            type=ssm.ParameterType.STRING,
            value=NO_BOOT,
            description=f"How far the boot of the machine in {slot} came",
            region=args["region"],
            tags=args["tags"],
            opts=self.options(ignore_changes=["value"]),
        )
        self.outputs = {
            "instanceProfile": profile.name,
            "registrationParameter": registration_parameter(slot),
            "bootParameter": boot.name,
        }
        self.register_outputs({"outputs": self.outputs})
