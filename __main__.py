"""The program: settings in, components, outputs. A section that a stack file leaves out is not there.

What a section needs is imported with it: the SDKs of the clouds take longer to import than everything else.
"""

from typing import Any

from virtci import collector

collector.pause()

import pulumi

from virtci.core.problems import ProblemsError
from virtci.outputs.contract import VERSION
from virtci.settings.load import from_pulumi
from virtci.settings.models import Settings


def main() -> None:
    """Declares what the stack file declares."""
    stack = pulumi.get_stack()
    try:
        settings = from_pulumi()
        outputs = {"contractVersion": VERSION, "stack": stack, "region": settings.region, **declared(settings, stack)}
    except ProblemsError as problems:
        raise pulumi.RunError(str(problems)) from None
    for name, value in outputs.items():
        pulumi.export(name, value)


def declared(settings: Settings, stack: str) -> dict[str, Any]:
    """The outputs of the sections that are there."""
    outputs: dict[str, Any] = {}
    if settings.hub or settings.environments:
        from components.fleet import declare_fleet

        collector.settle()
        outputs |= declare_fleet(settings, stack)
    if settings.kubevirt:
        from components.contents import declare_contents

        collector.settle()
        outputs |= declare_contents(settings.kubevirt)
    if settings.runners:
        from components.runner_fleet import declare_runners

        collector.settle()
        outputs |= declare_runners(settings, settings.runners, stack)
    if settings.runner:
        from components.runner_machine import declare_machine

        collector.settle()
        outputs |= declare_machine(settings, settings.runner, stack)
    return outputs


main()
