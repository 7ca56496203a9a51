"""What is left in the simulated AWS, for rehearsals that take everything down again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from virtci.rehearsal.aws.compute import GOING

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

SERVICE_ROLES = "/aws-service-role/"


def found(aws: "Aws") -> list[str]:
    """Everything that somebody made and nobody deleted."""
    regional = [name for region in aws.regions("ec2") for name in _in_ec2(aws, region)]
    groups = [
        f"schedule group {name}"
        for region in aws.regions("scheduler")
        for name in aws.backend("scheduler", region).schedule_groups
        if name != "default"
    ]
    parameters = [
        f"parameter {name}" for region in aws.regions("ssm") for name in aws.backend("ssm", region)._parameters
    ]
    return [*regional, *_in_iam(aws), *groups, *parameters]


def _in_ec2(aws: "Aws", region: str) -> Iterator[str]:
    backend = aws.backend("ec2", region)
    yield from (f"network {item.id}" for item in backend.vpcs.values() if not item.is_default)
    yield from (f"address {item.allocation_id}" for item in backend.addresses)
    yield from (f"gateway {item.id}" for item in backend.nat_gateways.values() if item.state != "deleted")
    yield from (f"gateway {item}" for item in backend.internet_gateways)
    yield from (f"launch template {item.name}" for item in backend.launch_templates.values())
    yield from (f"volume {item}" for item in backend.volumes)
    for group in backend.reservations.values():
        yield from (f"instance {item.id}" for item in group.instances if item.state not in GOING)


def _in_iam(aws: "Aws") -> Iterator[str]:
    if "aws" in aws.regions("iam"):
        backend = aws.backend("iam", "aws")
        yield from (f"role {item.name}" for item in backend.roles.values() if not item.path.startswith(SERVICE_ROLES))
        yield from (f"instance profile {item.name}" for item in backend.instance_profiles.values())
        yield from (f"issuer {item.arn}" for item in backend.open_id_providers.values())
