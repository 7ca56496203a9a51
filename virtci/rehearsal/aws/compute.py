"""What EC2 enforces on instances and moto does not, and the time that they take.

Sources: AWS EC2 User Guide (instance lifecycle; On-Demand Instance quotas; Spot Instance interruptions; user data; nested
virtualization; launch templates) and API Reference (RunInstances, error codes), as of 2026-08. How long a state takes is
of the usual order, not a promise.
"""

import base64
import functools
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from virtci.rehearsal.aws import templates
from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked, changed
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

PENDING, PENDING_METAL, STOPPING, SHUTTING_DOWN = 15.0, 300.0, 40.0, 30.0
REMEMBERED = 3_600.0
"""Seconds for which a terminated instance is still shown."""
SPOT_NOTICE = 120.0
SPOT_LIFE = 600.0
"""Seconds after which a planned interruption meets a spot instance."""
USER_DATA = 16_384
HOPS = range(1, 65)
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
GOING = ("shutting-down", "terminated")
COUNTED = ("pending", "running")
"""States in which an instance counts towards the quota."""
STANDARD = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)\d")
"""The families of the quota class Standard: A, C, D, H, I, M, R, T and Z; not Inf, Mac, Trn, Hpc, DL …"""
SPOT = "spot"


def run(aws: "Aws", asked: Asked) -> Asked:
    """`RunInstances`: with the launch template's values filled in, judged as EC2 does."""
    wanted = templates.resolved(aws.backend("ec2", asked.region), asked.parameters)
    name = wanted.get("InstanceType", "m1.small")
    _judge_type(name, wanted)
    _judge_text(wanted.get("UserData"))
    _judge_metadata(wanted.get("MetadataOptions", {}))
    spot = _market(wanted).get("MarketType") == SPOT
    if name in _types():
        _judge_quota(aws, asked.region, [name] * wanted["MinCount"], spot)
    return changed(asked, wanted, aws.scenario.account)


def ran(aws: "Aws", asked: Asked) -> None:
    """New instances come up by and by; a spot instance that the plan wants back goes again."""
    backend = aws.backend("ec2", asked.region)
    for instance in list(backend.reservations.values())[-1].instances:
        instance.launch_time = aws.clock.now.replace(tzinfo=None)
        instance.cpu_options = asked.parameters.get("CpuOptions")
        instance.instance_lifecycle = SPOT if instance.lifecycle else None
        for interface in instance.nics.values():
            interface.delete_on_termination = True
        instance.one_time = _market(asked.parameters).get("SpotOptions", {}).get("SpotInstanceType") != "persistent"
        _comes_up(aws, instance)
        if instance.lifecycle:
            try:
                aws.journal.fault("aws", "ec2:SpotInterruption", asked.target)
            except CloudError:
                back = functools.partial(interrupt, aws, asked.region, instance.id)
                aws.times.later(SPOT_LIFE - SPOT_NOTICE, back)


def interrupt(aws: "Aws", region: str, instance_id: str) -> None:
    """Takes a spot instance back: it is terminated two minutes after the notice."""
    instance = aws.backend("ec2", region).get_instance(instance_id)

    def goes() -> None:
        if instance.state in COUNTED:
            terminate(aws, instance, "Server.SpotInstanceTermination")

    aws.times.later(SPOT_NOTICE, goes)


def terminate(aws: "Aws", instance: Any, reason: str = "") -> None:
    """Terminates an instance without a call; one that is going already goes on."""
    if instance.state not in GOING:
        instance.terminate()
        if reason:
            instance.state_reason.code, instance.state_reason.message = reason, f"{reason}: {reason.split('.')[-1]}"
        _moves(aws, instance, "shutting-down", SHUTTING_DOWN, "terminated")


def start(aws: "Aws", asked: Asked) -> Asked:
    """`StartInstances`: of stopped ones, as far as the quota goes."""
    instances = _instances(aws, asked)
    _must_be(instances, ("stopped", *COUNTED), "started")
    for spot in (False, True):
        stopped = [item for item in instances if item.state == "stopped" and bool(item.lifecycle) is spot]
        _judge_quota(aws, asked.region, [item.instance_type for item in stopped], spot)
    _remember(instances)
    return asked


def started(aws: "Aws", asked: Asked) -> None:
    """They come up by and by."""
    for instance in _instances(aws, asked):
        if instance.was == "stopped":
            instance.launch_time = aws.clock.now.replace(tzinfo=None)
            _comes_up(aws, instance)


def stop(aws: "Aws", asked: Asked) -> Asked:
    """`StopInstances`: not of one-time spot instances."""
    instances = _instances(aws, asked)
    _must_be(instances, ("pending", "running", "stopping", "stopped"), "stopped")
    for instance in instances:
        if instance.lifecycle and instance.one_time:
            text = f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance request."
            raise CloudError(400, "UnsupportedOperation", text)
    _remember(instances)
    return asked


def stopped(aws: "Aws", asked: Asked) -> None:
    """They go down by and by."""
    for instance in _instances(aws, asked):
        if instance.was in COUNTED:
            _moves(aws, instance, "stopping", STOPPING, "stopped")


def leave(aws: "Aws", asked: Asked) -> Asked:
    """`TerminateInstances`: what goes already goes on."""
    _remember(_instances(aws, asked))
    return asked


def left(aws: "Aws", asked: Asked) -> None:
    """They go by and by, are shown for an hour more, and then nobody knows of them."""
    for instance in _instances(aws, asked):
        if instance.was not in GOING:
            _moves(aws, instance, "shutting-down", SHUTTING_DOWN, "terminated")
        else:
            instance._state = _state(instance.was)


def modified_template(aws: "Aws", asked: Asked) -> Asked:  # noqa: ARG001  a hook's arguments are fixed
    """Launch templates are judged when they are made."""
    wanted = asked.parameters["LaunchTemplateData"]
    _judge_text(wanted.get("UserData"))
    _judge_metadata(wanted.get("MetadataOptions", {}))
    return asked


HOOKS = Hooks(
    before={
        "ec2:RunInstances": run,
        "ec2:StartInstances": start,
        "ec2:StopInstances": stop,
        "ec2:TerminateInstances": leave,
        "ec2:CreateLaunchTemplate": modified_template,
        "ec2:CreateLaunchTemplateVersion": modified_template,
    },
    after={
        "ec2:RunInstances": ran,
        "ec2:StartInstances": started,
        "ec2:StopInstances": stopped,
        "ec2:TerminateInstances": left,
    },
)


def used(aws: "Aws", region: str, spot: bool = False) -> int:
    """The vCPU of the quota class Standard that run in a region."""
    return sum(
        vcpus(item.instance_type)
        for group in aws.backend("ec2", region).reservations.values()
        for item in group.instances
        if item.state in COUNTED and bool(item.lifecycle) is spot and is_standard(item.instance_type)
    )


def vcpus(name: str) -> int:
    """The vCPU of an instance type."""
    return int(_types()[name]["VCpuInfo"]["DefaultVCpus"])


def is_standard(name: str) -> bool:
    """Whether a type counts towards the quota class Standard."""
    return bool(STANDARD.match(name))


def _types() -> Any:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return INSTANCE_TYPES


def _judge_type(name: str, wanted: Values) -> None:
    features = _types().get(name, {}).get("ProcessorInfo", {}).get("SupportedFeatures", ())
    nested = wanted.get("CpuOptions", {}).get("NestedVirtualization") == "enabled"
    if nested and "nested-virtualization" not in features:
        text = f"The instance type {name} does not support nested virtualization."
        raise CloudError(400, "InvalidParameterCombination", text)


def _judge_text(encoded: str | None) -> None:
    if encoded and len(base64.b64decode(encoded)) > USER_DATA:
        raise CloudError(400, "InvalidParameterValue", f"User data is limited to {USER_DATA} bytes")


def _judge_metadata(options: Values) -> None:
    hops = options.get("HttpPutResponseHopLimit", 1)
    if hops not in HOPS:
        text = f"Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. It is from {HOPS[0]} to {HOPS[-1]}."
        raise CloudError(400, "InvalidParameterValue", text)


def _judge_quota(aws: "Aws", region: str, names: list[str], spot: bool) -> None:
    """Spot instances have a quota of their own; here it is as large."""
    needed = sum(vcpus(name) for name in names if is_standard(name))
    limit = aws.scenario.limit(region)
    if needed and used(aws, region, spot) + needed > limit:
        if spot:
            raise CloudError(400, "MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        text = (
            f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket "
            "that the specified instance type belongs to."
        )
        raise CloudError(400, "VcpuLimitExceeded", text)


def _must_be(instances: Iterable[Any], states: tuple[str, ...], word: str) -> None:
    for instance in instances:
        if instance.state not in states:
            text = f"The instance '{instance.id}' is not in a state from which it can be {word}."
            raise CloudError(400, "IncorrectInstanceState", text)


def _remember(instances: Iterable[Any]) -> None:
    """Moto changes the state at once; what follows depends on the one before."""
    for instance in instances:
        instance.was = instance.state


def _market(parameters: Values) -> Values:
    found: Values = parameters.get("InstanceMarketOptions", {})
    return found


def _instances(aws: "Aws", asked: Asked) -> list[Any]:
    from moto.core.exceptions import ServiceException

    try:
        found: list[Any] = aws.backend("ec2", asked.region).get_multi_instances_by_id(asked.parameters["InstanceIds"])
    except ServiceException as error:
        raise CloudError(400, error.code, error.message) from None
    return found


def _comes_up(aws: "Aws", instance: Any) -> None:
    if instance.state == "running":
        metal = _types()[instance.instance_type].get("BareMetal") if instance.instance_type in _types() else False
        _moves(aws, instance, "pending", PENDING_METAL if metal else PENDING, "running")


def _moves(aws: "Aws", instance: Any, at_once: str, seconds: float, then: str) -> None:
    """A state now, another one later, unless something else happened to the instance in between."""
    instance._state = state = _state(at_once)

    def settles() -> None:
        if instance._state is state:
            instance._state = _state(then)
            if then == "terminated":
                aws.times.later(REMEMBERED, _forgotten(instance))

    aws.times.later(seconds, settles)


def _forgotten(instance: Any) -> Callable[[], None]:
    def goes() -> None:
        for group in instance.ec2_backend.reservations.values():
            if instance in group.instances:
                group.instances.remove(instance)

    return goes


def _state(name: str) -> Any:
    from moto.ec2.models.instances import InstanceState

    return InstanceState(name, STATES[name])
