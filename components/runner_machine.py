"""The section of a stack file that is about one on-demand machine of a workflow run."""

from typing import Any

import pulumi

from virtci.boot.on_demand import OnDemandContext, on_demand_boot_text
from virtci.boot.runner import AgentRelease
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.sizes import machine_type
from virtci.core.runners.tags import RunTags, run_tags
from virtci.core.tags import TagSet
from virtci.settings.models import Settings
from virtci.settings.runners import RunnerMachine


def declare_machine(settings: Settings, runner: RunnerMachine, stack: str) -> dict[str, Any]:
    """Declares the machine and returns what the launcher reads of it. It is called like its stack.

    The SDK of the other cloud is not imported. Raises `Refusal` for a boot text that cannot work.
    """
    # What comes back has been booted before: its disk has the text, and the keys with it.
    boot_text = "" if runner.revive else on_demand_boot_text(boot_context(settings, runner, stack))
    declare = in_azure if runner.cloud is Cloud.AZURE else in_aws
    return {"runner": declare(settings, runner, stack, boot_text)}


def in_azure(settings: Settings, runner: RunnerMachine, stack: str, boot_text: str) -> dict[str, Any]:
    """The machine in Azure."""
    from components.azure_runner import AzureRunner
    from components.providers import azure_provider

    return AzureRunner(
        "runner",
        {
            "machine_name": stack,
            "slot": runner.slot,
            "subscription_id": settings.subscription,
            "location": runner.region,
            "zone": runner.zone,
            "size": runner.size,
            "image_id": runner.image,
            "snapshot_id": runner.revive.snapshot if runner.revive else "",
            "subnet_id": runner.subnet,
            "spot": runner.spot,
            "boot_text": boot_text,
            "ssh_keys": runner.keys,
            "tags": machine_tags(settings, runner, stack),
        },
        pulumi.ResourceOptions(providers=[azure_provider(settings)]),
    ).outputs


def in_aws(settings: Settings, runner: RunnerMachine, stack: str, boot_text: str) -> dict[str, Any]:
    """The machine in AWS."""
    from components.aws_provider import aws_provider
    from components.aws_runner import AwsRunner

    kind = machine_type(Cloud.EC2, runner.size)
    return AwsRunner(
        "runner",
        {
            "machine_name": stack,
            "slot": runner.slot,
            "region": runner.region,
            "zone": runner.zone,
            "type": runner.size,
            "nested_virtualization": kind.nested_virtualization and not kind.metal,
            "image_id": runner.image,
            "subnet_id": runner.subnet,
            "spot": runner.spot,
            "boot_text": boot_text,
            "deadline": runner.deadline,
            "tags": machine_tags(settings, runner, stack),
        },
        pulumi.ResourceOptions(providers=[aws_provider(runner.region)]),
    ).outputs


def machine_tags(settings: Settings, runner: RunnerMachine, stack: str) -> dict[str, str]:
    """The tags by which launcher and sweeper know the machine."""
    return run_tags(
        TagSet(owner=settings.owner, system=settings.system, stack=stack),
        runner.cloud,
        RunTags(
            stack=stack,
            label=runner.label,
            shown=runner.name,
            run=runner.run,
            slot=runner.slot,
            deadline=runner.deadline,
            keep_until=runner.revive.keep_until if runner.revive else None,
        ),
    )


def boot_context(settings: Settings, runner: RunnerMachine, stack: str) -> OnDemandContext:
    """What the machine is told at its first boot."""
    return OnDemandContext(
        cloud=runner.cloud,
        hostname=stack,
        slot=runner.slot,
        vault_uri=runner.vault,
        repository_url=f"https://github.com/{settings.repository}",
        label=runner.label,
        labels=runner.labels,
        capability=runner.capability,
        serves=runner.serves,
        agent=AgentRelease(runner.agent.version, runner.agent.sha256),
        deadline=runner.deadline,
        spot=runner.spot,
        keys=runner.keys,
    )
