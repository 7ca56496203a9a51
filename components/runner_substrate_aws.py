"""What on-demand runners stand on in AWS, put together."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
from pulumi_aws import ec2, iam, scheduler

from components.aws_network import AwsNetwork
from components.aws_runner import METADATA, OS_DISK_GIB
from components.aws_slot import AwsRunnerSlot
from components.base import Component
from virtci.core.lifetimes import Lifetime
from virtci.core.oidc import ISSUER, Repository, subjects
from virtci.core.runners import aws as rights
from virtci.core.runners.leases import slot_names
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.core.tags import TagSet, tags
from virtci.settings.models import Settings
from virtci.settings.runners import AwsPlace, AwsRunners

LAUNCHER_SECONDS = 6 * 3_600
"""Longest session of the launcher: a start waits that long for its turn."""


class AwsSubstrateArgs(TypedDict):
    """Arguments of `AwsSubstrate`. None of these may be an Output."""

    settings: Settings
    aws: AwsRunners
    repository: Repository
    """Whose workflows may launch."""
    common_tags: TagSet


class AwsSubstrate(Component):
    """Everything of on-demand runners in AWS that stays, so that a start only makes a machine.

    Resources: the `OpenIdConnectProvider` for GitHub's tokens (an account has one; where it is there already, import it);
    the `Role` of the launcher with a `RolePolicy` per region; the `Role` of the backstops, which terminate machines after
    their deadline; per region an `AwsNetwork`, a `LaunchTemplate`, a `ScheduleGroup` for the backstops and an
    `AwsRunnerSlot` for each unit.

    Refuses: stored credentials; trust in anything but the environment `runners` of the one repository; rights of the
    launcher beyond machines that are made from the launch template, in its subnets, with a slot's profile, and beyond what
    carries our owner tags. It writes registrations and cannot read them.
    """

    TYPE = "virt-ci:runner:AwsSubstrate"
    ARGUMENTS = AwsSubstrateArgs

    outputs: dict[str, Any]
    """Its part of the output contract."""
    launcher_role_arn: pulumi.Output[str]
    """What workflows act as."""

    def __init__(self, name: str, args: AwsSubstrateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.settings, self.aws = args["settings"], args["aws"]
        self.tags = tags(args["common_tags"], ENVIRONMENT, Lifetime.DURABLE)
        launcher = self._launcher(args["repository"])
        backstop = self._backstop()
        self.launcher_role_arn = launcher.arn
        self.outputs = {
            "account": self.aws.account,
            "launcherRoleArn": launcher.arn,
            "backstopRoleArn": backstop.arn,
            "types": list(self.aws.types),
            "regions": {region: self._region(region, place, launcher) for region, place in self.aws.regions.items()},
        }
        self.register_outputs({"outputs": self.outputs})

    def _launcher(self, repository: Repository) -> iam.Role:
        """Who makes and removes machines; what it may do, each region says."""
        issuer = iam.OpenIdConnectProvider(
            self.child_name("github"),
            url=ISSUER,
            client_id_lists=[rights.AUDIENCE],
            tags=self.tags,
            opts=self.options(),
        )
        trusted = list(subjects(repository, f"environment:{ENVIRONMENT}").values())
        return iam.Role(
            self.child_name("launcher"),
            name=rights.LAUNCHER_ROLE,
            description=f"Makes and removes on-demand runners of {repository.slug}",
            assume_role_policy=json.dumps(rights.github_trust(self.aws.account, trusted)),
            max_session_duration=LAUNCHER_SECONDS,
            tags=self.tags,
            opts=self.options(delete_before_replace=True, depends_on=[issuer]),
        )

    def _backstop(self) -> iam.Role:
        """What schedules act as: they terminate machines of ours, and nothing else."""
        account, regions = self.aws.account, list(self.aws.regions)
        role = iam.Role(
            self.child_name("backstop"),
            name=rights.BACKSTOP_ROLE,
            description="Terminates on-demand runners after their deadline",
            assume_role_policy=json.dumps(rights.backstop_trust(account, regions)),
            tags=self.tags,
            opts=self.options(delete_before_replace=True),
        )
        iam.RolePolicy(
            self.child_name("backstop-rights"),
            name="terminate",
            role=role.name,
            policy=json.dumps(rights.backstop_policy(account, regions, self.settings.system)),
            opts=self.options(delete_before_replace=True),
        )
        return role

    def _region(self, region: str, place: AwsPlace, launcher: iam.Role) -> dict[str, Any]:
        network = AwsNetwork(
            self.child_name(f"{region}-network"),
            {
                "network_name": place.network,
                "region": region,
                "tags": self.tags,
                "address_space": place.address_space,
                "zones": place.zones,
            },
            self.options(),
        )
        template = self._template(region, network)
        group = scheduler.ScheduleGroup(
            self.child_name(f"{region}-backstops"),
            region=region,
            name=rights.SCHEDULE_GROUP,
            tags=self.tags,
            opts=self.options(delete_before_replace=True),
        )
        self._rights(region, network, template, launcher)
        slots = {slot: self._slot(slot, region) for slot in slot_names(region, place.units)}
        return {
            "subnetIds": network.subnet_ids,
            "securityGroupId": network.security_group_id,
            "launchTemplateId": template.id,
            "scheduleGroup": group.name,
            "egressAddress": network.egress_address,
            "vcpus": place.vcpus,
            "reserve": place.reserve,
            "slots": {name: slot.outputs for name, slot in slots.items()},
        }

    def _slot(self, slot: str, region: str) -> AwsRunnerSlot:
        return AwsRunnerSlot(
            slot,
            {"slot_name": slot, "account": self.aws.account, "region": region, "tags": self.tags},
            self.options(),
        )

    def _template(self, region: str, network: AwsNetwork) -> ec2.LaunchTemplate:
        """What every machine has in common. A machine repeats what protects it, so that policies see it there as well."""
        return ec2.LaunchTemplate(
            self.child_name(f"{region}-template"),
            region=region,
            name=rights.LAUNCH_TEMPLATE,
            update_default_version=True,
            metadata_options=METADATA,
            instance_initiated_shutdown_behavior="terminate",
            vpc_security_group_ids=[network.security_group_id],
            block_device_mappings=[
                {
                    "device_name": "/dev/sda1",
                    "ebs": {
                        "encrypted": "true",
                        "delete_on_termination": "true",
                        "volume_type": "gp3",
                        "volume_size": OS_DISK_GIB,
                    },
                }
            ],
            tags=self.tags,
            opts=self.options(delete_before_replace=True),
        )

    def _rights(self, region: str, network: AwsNetwork, template: ec2.LaunchTemplate, launcher: iam.Role) -> None:
        def written(found: Mapping[str, Any]) -> str:
            place = rights.Place(
                account=self.aws.account,
                region=region,
                system=self.settings.system,
                types=self.aws.types,
                subnet_ids=tuple(found["subnets"]),
                security_group_id=found["group"],
                launch_template_id=found["template"],
            )
            return json.dumps(rights.launcher_policy(place))

        known = pulumi.Output.all(
            subnets=list(network.subnet_ids.values()), group=network.security_group_id, template=template.id
        )
        iam.RolePolicy(
            self.child_name(f"{region}-launcher-rights"),
            name=f"runners-{region}",
            role=launcher.name,
            policy=known.apply(written),
            opts=self.options(delete_before_replace=True),
        )
