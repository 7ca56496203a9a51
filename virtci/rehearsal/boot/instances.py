"""An instance of the simulated AWS, booted in a sandbox with its own user data, among the simulated services."""

import base64
import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from virtci.core.boot_tags import Boot
from virtci.core.probes import parse_probe
from virtci.core.runners.boot_record import boot_parameter, read_boot_parameter
from virtci.rehearsal.aws.calls import client
from virtci.rehearsal.aws.metadata import InstanceMetadata
from virtci.rehearsal.aws.metadata import handler as metadata_handler
from virtci.rehearsal.aws.scenario import Attached
from virtci.rehearsal.aws.sessions import Sessions
from virtci.rehearsal.aws.sessions import handler as services_handler
from virtci.rehearsal.boot.machines import LAUNCHER_PACE, PROBE_DOCUMENT, MachineBoot
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import Device, sandbox


@contextmanager
def booted_instance(
    aws: Attached, region: str, instance: Any, slot: str, downloads: Service, devices: Mapping[str, Device]
) -> Iterator[MachineBoot]:
    """An instance (of moto) after its first boot, until the block ends. User data, tags and role are its own."""
    metadata = InstanceMetadata(aws.cloud, region, instance.id, Sessions())
    services = [
        Service((METADATA_ADDRESS,), metadata_handler(metadata), port=80, tls=False),
        Service((f"ssm.{region}.amazonaws.com",), services_handler(aws.cloud, metadata.sessions)),
        downloads,
    ]
    text = gzip.decompress(base64.b64decode(str(instance.user_data))).decode()
    address = str(instance.private_ip)
    with sandbox(services, devices=devices, distribution="ubuntu", address=address, pace=LAUNCHER_PACE) as box:
        result = box.boot(text)
        probe = parse_probe(box.read(PROBE_DOCUMENT), instance.id) if box.exists(PROBE_DOCUMENT) else None
        boot = told(aws, region, instance.id, slot)
        yield MachineBoot(instance.id, result.exit_code, boot, probe, result.seconds, box.waited, result.log)


def told(aws: Attached, region: str, instance_id: str, slot: str) -> Boot | None:
    """What an instance says of its last boot, in the parameter of its slot."""
    parameters = client(aws.endpoint.url, "ssm", region)
    try:
        text = parameters.get_parameter(Name=boot_parameter(slot))["Parameter"]["Value"]
    except parameters.exceptions.ParameterNotFound:
        return None
    return read_boot_parameter(str(text), instance_id)
