"""The hands of a test in the simulated AWS."""

import json
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.aws.calls import client
from virtci.rehearsal.aws.cloud import Aws
from virtci.rehearsal.aws.provider import AwsProvider

REGION = "us-east-2"
ACCOUNT = "000000000000"
TAGS = {"managed-by": "virt-ci", "system": "kontain"}
TYPES = {
    "vpc": "aws:ec2/vpc:Vpc",
    "subnet": "aws:ec2/subnet:Subnet",
    "internet": "aws:ec2/internetGateway:InternetGateway",
    "address": "aws:ec2/eip:Eip",
    "nat": "aws:ec2/natGateway:NatGateway",
    "routes": "aws:ec2/routeTable:RouteTable",
    "association": "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "endpoint": "aws:ec2/vpcEndpoint:VpcEndpoint",
    "firewall": "aws:ec2/securityGroup:SecurityGroup",
    "template": "aws:ec2/launchTemplate:LaunchTemplate",
    "instance": "aws:ec2/instance:Instance",
    "role": "aws:iam/role:Role",
    "rights": "aws:iam/rolePolicy:RolePolicy",
    "profile": "aws:iam/instanceProfile:InstanceProfile",
    "issuer": "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "group": "aws:scheduler/scheduleGroup:ScheduleGroup",
    "schedule": "aws:scheduler/schedule:Schedule",
}
EVERYTHING_OUT = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "description": "out"}
METADATA = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}
DISK = {"encrypted": True, "deleteOnTermination": True, "volumeType": "gp3", "volumeSize": 32}


def trust(*services: str) -> str:
    """A document that trusts services."""
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Made:
    """A resource that was made."""

    kind: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Account:
    """The cloud, its provider, and what was made."""

    aws: Aws
    url: str
    provider: AwsProvider
    made: list[Made] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The real client."""
        if service not in self.clients:
            self.clients[service] = client(self.url, service, REGION)
        return self.clients[service]

    def make(self, what: str, **inputs: Any) -> Made:
        """Makes a resource as the engine does: judged first."""
        kind = TYPES[what]
        assert self.provider.check(kind, inputs) == []
        resource_id, outputs = self.provider.create(kind, inputs)
        self.made.append(Made(kind, resource_id, inputs, outputs))
        return self.made[-1]

    def read(self, made: Made) -> dict[str, Any] | None:
        """What a refresh finds."""
        return self.provider.read(made.kind, made.id, made.inputs, made.outputs)

    def update(self, made: Made, **changes: Any) -> Made:
        """Changes inputs."""
        inputs = {**made.inputs, **changes}
        return Made(made.kind, made.id, inputs, self.provider.update(made.kind, made.id, inputs, made.outputs))

    def delete(self, made: Made) -> None:
        """Deletes a resource."""
        self.provider.delete(made.kind, made.id, made.outputs)

    def network(self) -> dict[str, Made]:
        """A network with a way out, as the substrate has one."""
        vpc = self.make("vpc", cidrBlock="10.71.0.0/16", enableDnsHostnames=True, tags=TAGS)
        internet = self.make("internet", vpcId=vpc.id, tags=TAGS)
        subnet = self.make("subnet", vpcId=vpc.id, cidrBlock="10.71.0.0/20", availabilityZone="us-east-2a", tags=TAGS)
        address = self.make("address", domain="vpc", tags=TAGS)
        nat = self.make("nat", subnetId=subnet.id, allocationId=address.id, tags=TAGS)
        routes = self.make(
            "routes", vpcId=vpc.id, routes=[{"cidrBlock": "0.0.0.0/0", "natGatewayId": nat.id}], tags=TAGS
        )
        association = self.make("association", subnetId=subnet.id, routeTableId=routes.id)
        endpoint = self.make(
            "endpoint",
            vpcId=vpc.id,
            serviceName="com.amazonaws.us-east-2.s3",
            vpcEndpointType="Gateway",
            routeTableIds=[routes.id],
            tags=TAGS,
        )
        firewall = self.make(
            "firewall",
            name="machines",
            description="machines",
            vpcId=vpc.id,
            ingress=[],
            egress=[EVERYTHING_OUT],
            tags=TAGS,
        )
        found = (vpc, internet, subnet, address, nat, routes, association, endpoint, firewall)
        names = ("vpc", "internet", "subnet", "address", "nat", "routes", "association", "endpoint", "firewall")
        return dict(zip(names, found, strict=True))

    def template(self, firewall: str, **more: Any) -> Made:
        """A launch template."""
        ebs = {"encrypted": "true", "deleteOnTermination": "true", "volumeType": "gp3", "volumeSize": 64}
        return self.make(
            "template",
            **{
                "name": "auto-runner",
                "updateDefaultVersion": True,
                "metadataOptions": METADATA,
                "instanceInitiatedShutdownBehavior": "terminate",
                "vpcSecurityGroupIds": [firewall],
                "blockDeviceMappings": [{"deviceName": "/dev/sda1", "ebs": ebs}],
                "tags": TAGS,
                **more,
            },
        )

    def profile(self, name: str = "auto-runner-us-east-2-01") -> Made:
        """An instance profile with a role."""
        role = self.make("role", name=name, assumeRolePolicy=trust("ec2.amazonaws.com"), tags=TAGS)
        return self.make("profile", name=name, role=role.id, tags=TAGS)

    def image(self) -> str:
        """An image."""
        disk = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 32}}]
        made = self.client("ec2").register_image(
            Name="L0BaseImage", RootDeviceName="/dev/sda1", Architecture="x86_64", BlockDeviceMappings=disk
        )
        return str(made["ImageId"])

    def machine(self, **more: Any) -> Made:
        """A machine of a new image in a new network, from a template."""
        vpc = self.make("vpc", cidrBlock="10.71.0.0/16")
        subnet = self.make("subnet", vpcId=vpc.id, cidrBlock="10.71.0.0/20", availabilityZone="us-east-2a")
        self.template(self.make("firewall", name="machines", description="machines", vpcId=vpc.id).id)
        return self.another(subnet.id, self.profile().id, self.image(), **more)

    def another(self, subnet: str, profile: str, image: str, **more: Any) -> Made:
        """A machine."""
        inputs = {
            "ami": image,
            "instanceType": "m8i.xlarge",
            "subnetId": subnet,
            "iamInstanceProfile": profile,
            "launchTemplate": {"name": "auto-runner", "version": "$Default"},
            "metadataOptions": METADATA,
            "instanceInitiatedShutdownBehavior": "terminate",
            "rootBlockDevice": DISK,
            "tags": {**TAGS, "Name": "ec2-runner-KM-1"},
            "volumeTags": TAGS,
            **more,
        }
        return self.make("instance", **inputs)

    def describe(self, machine: Made) -> Any:
        """EC2's own words."""
        return self.client("ec2").describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"][0]
