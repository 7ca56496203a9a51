"""An account in the simulated AWS with runners in two regions, and the hands of Pulumi and of machines in it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from virtci.core.runners.aws import BACKSTOP_ROLE, SCHEDULE_GROUP, TERMINATE, backstop_policy, backstop_trust, role_arn
from virtci.core.runners.boot_record import MACHINE, boot_parameter, registration_parameter
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.ladder import Rung
from virtci.core.runners.sweep import SeenMachine
from virtci.core.runners.tags import RunTags, run_tags
from virtci.core.tags import TagSet
from virtci.fleet.aws_clouds import AwsClouds
from virtci.fleet.runners.ec2 import Ec2Runners
from virtci.fleet.runners.objects import FileObjects
from virtci.outputs.contract import AwsRunnersPart
from virtci.rehearsal.aws.cloud import Aws, Scenario
from virtci.rehearsal.aws.server import serve
from virtci.rehearsal.clock import START, SimulatedClock
from virtci.rehearsal.journal import Fault, FaultPlan, Journal

ACCOUNT, REGION, OTHER_REGION, SYSTEM, IMAGE = "000000000000", "us-east-2", "us-west-2", "kontain", "L0BaseImage"
SLOT, SECOND_SLOT, FAR_SLOT = f"auto-runner-{REGION}-01", f"auto-runner-{REGION}-02", f"auto-runner-{OTHER_REGION}-01"
STACK, SECOND = "run-ec2-4711-1-1", "run-ec2-4711-1-2"
DEADLINE = START + timedelta(hours=6)
SETTLED = 120.0
"""Seconds after which instances are up or down."""


def rung(region: str = REGION, zone: str = "", spot: bool = False) -> Rung:
    return Rung(cloud=Cloud.EC2, region=region, zone=zone, type="m5.xlarge", spot=spot)


def tags_for(stack: str = STACK, slot: str = SLOT, **more: Any) -> RunTags:
    known: dict[str, Any] = {
        "stack": stack,
        "label": f"virt-ci-{stack.removeprefix('run-')}-0a1b2c3d",
        "shown": "ec2-runner-CI-1",
        "run": "rehearsal-org/km/4711/1",
        "slot": slot,
        "deadline": DEADLINE,
    }
    return RunTags(**(known | more))


def part() -> AwsRunnersPart:
    """What the stack of the runners tells."""
    regions = {
        name: {
            "subnetIds": {f"{name}a": f"subnet-{name}-a", f"{name}b": f"subnet-{name}-b"},
            "securityGroupId": "sg-1",
            "launchTemplateId": "lt-1",
            "scheduleGroup": SCHEDULE_GROUP,
            "egressAddress": "192.0.2.1",
            "vcpus": 32,
            "reserve": 4,
            "slots": {},
        }
        for name in (REGION, OTHER_REGION)
    }
    return AwsRunnersPart.model_validate(
        {
            "account": ACCOUNT,
            "launcherRoleArn": role_arn(ACCOUNT, "auto-runner-launcher"),
            "backstopRoleArn": role_arn(ACCOUNT, BACKSTOP_ROLE),
            "types": ["m5.xlarge"],
            "regions": regions,
        }
    )


UNTIL = START + timedelta(days=7)
KEPT = tags_for(deadline=START + timedelta(minutes=30), keep_until=UNTIL)


@dataclass
class Account:
    """The account, and the launcher's view of it."""

    aws: Aws
    clouds: AwsClouds
    objects: FileObjects
    told: list[tuple[str, str]] = field(default_factory=list)

    @property
    def runners(self) -> Ec2Runners:
        return Ec2Runners(
            part=part(),
            image_name=IMAGE,
            system=SYSTEM,
            clouds=self.clouds,
            objects=self.objects,
            observe=lambda about, said: self.told.append((about, said)),
        )

    def build(self) -> None:
        """The role of the backstops and their groups."""
        iam = self.clouds._client("iam", "us-east-1")
        trust = json.dumps(backstop_trust(ACCOUNT, [REGION, OTHER_REGION]))
        iam.create_role(RoleName=BACKSTOP_ROLE, AssumeRolePolicyDocument=trust)
        rights = json.dumps(backstop_policy(ACCOUNT, [REGION, OTHER_REGION], SYSTEM))
        iam.put_role_policy(RoleName=BACKSTOP_ROLE, PolicyName="terminate", PolicyDocument=rights)
        for region in (REGION, OTHER_REGION):
            self.clouds.schedules(region).create_schedule_group(Name=SCHEDULE_GROUP)
        self.aws.clock.advance(60)

    def publish(self, version: str, state: str = "offered", region: str = REGION) -> str:
        """A version of the image."""
        ec2 = self.clouds.ec2(region)
        made = ec2.register_image(Name=f"{IMAGE}-{version}", RootDeviceName="/dev/sda1")["ImageId"]
        self.tag(made, region, image=IMAGE, version=version, state=state)
        return made

    def instance(
        self,
        tags: dict[str, str] | None = None,
        region: str = REGION,
        kind: str = "m5.xlarge",
        spot: bool = False,
        count: int = 1,
    ) -> str:
        """Instances with any tags; gives the first one's id."""
        image = self.clouds.ec2(region).register_image(
            Name=f"image-{len(self.aws.journal.calls)}", RootDeviceName="/dev/sda1"
        )
        market = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
        wanted: dict[str, Any] = {
            "ImageId": image["ImageId"], "InstanceType": kind, "MinCount": count, "MaxCount": count,
            "InstanceInitiatedShutdownBehavior": "terminate",
        }  # fmt: skip
        if tags:
            told = [{"Key": key, "Value": value} for key, value in tags.items()]
            wanted["TagSpecifications"] = [{"ResourceType": "instance", "Tags": told}]
        if spot:
            wanted["InstanceMarketOptions"] = market
        made = self.clouds.ec2(region).run_instances(**wanted)["Instances"][0]["InstanceId"]
        self.aws.clock.advance(SETTLED)
        return made

    def machine(self, tags: RunTags | None = None, region: str = REGION, system: str = SYSTEM, **more: Any) -> str:
        """A machine of a run with its backstop, as its stack declares both."""
        item = tags or tags_for()
        found = run_tags(TagSet(owner="ci", system=system, stack=item.stack), Cloud.EC2, item)
        made = self.instance(found, region, **more)
        self.clouds.schedules(region).create_schedule(
            Name=item.stack,
            GroupName=SCHEDULE_GROUP,
            ScheduleExpression=f"at({item.deadline:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": TERMINATE,
                "RoleArn": role_arn(ACCOUNT, BACKSTOP_ROLE),
                "Input": json.dumps({"InstanceIds": [made]}),
            },
        )
        return made

    def tag(self, resource: str, region: str = REGION, **tags: str) -> None:
        told: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.clouds.ec2(region).create_tags(Resources=[resource], Tags=told)

    def tell(self, instance: str, slot: str = SLOT, **record: str) -> None:
        """A machine tells of its boot."""
        known = {MACHINE: instance, "bootid": "1", "bootat": "2026-01-05T12:00:00Z", "bootreason": "-"}
        self.put(boot_parameter(slot), json.dumps(known | record))

    def put(self, name: str, value: str) -> None:
        self.clouds.parameters(REGION).put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def pass_to(self, moment: datetime) -> None:
        self.aws.clock.advance((moment - self.aws.clock.now).total_seconds())

    def plan(self, *faults: Fault) -> None:
        """What goes wrong from now on."""
        self.aws.journal.plan = FaultPlan(faults=faults)
        self.aws.journal._met.clear()

    def state_of(self, instance: str, region: str = REGION) -> str:
        self.aws.settle()
        found = self.aws.backend("ec2", region).get_instance(instance)
        return str(found.state)

    def tags_of(self, instance: str, region: str = REGION) -> dict[str, str]:
        found = self.aws.backend("ec2", region).get_instance(instance)
        return {tag["key"]: tag["value"] for tag in found.get_tags()}

    def schedules(self, region: str = REGION) -> dict[str, Any]:
        self.aws.settle()
        found: dict[str, Any] = self.aws.backend("scheduler", region).schedule_groups[SCHEDULE_GROUP].schedules
        return found

    def registration(self, slot: str = SLOT) -> Any:
        """The parameter as Parameter Store has it; nothing where there is none."""
        versions = self.aws.backend("ssm", REGION)._parameters.get(registration_parameter(slot))
        return versions[-1] if versions else None

    def asked(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.aws.journal.calls)


def stacks_of(machines: Sequence[SeenMachine]) -> set[str]:
    return {machine.tags.stack for machine in machines}


@contextmanager
def account_in(folder: Path, vcpus: int = 64) -> Iterator[Account]:
    """The account, until the block ends."""
    clock = SimulatedClock()
    aws = Aws(clock, Journal(clock), Scenario(account=ACCOUNT, vcpus={REGION: vcpus, OTHER_REGION: vcpus}))
    with serve(aws) as endpoint:
        found = Account(aws, AwsClouds(endpoint.url), FileObjects(folder))
        found.build()
        yield found
