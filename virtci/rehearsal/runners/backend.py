"""Pulumi's backend and engine as far as run stacks meet them: a stack remembers what was made, also when it broke off."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.naming import STACK
from virtci.core.runners.sweep import SeenStack
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal.runners.platform import Platform, tags_from
from virtci.rehearsal.runners.stage import Stage
from virtci.rehearsal.runners.weather import Dice

ENGINE = 6.0
"""Seconds of the engine beside the clouds."""
LIST = 0.5


@dataclass
class Kept:
    """A stack: in which cloud its machine is, and when it was changed last."""

    cloud: Cloud
    updated: datetime


@dataclass
class Backend:
    """The stacks of runs."""

    stage: Stage
    dice: Dice
    platforms: Mapping[Cloud, Platform]
    stacks: dict[str, Kept] = field(default_factory=dict)

    def up(self, name: str, runner: Mapping[str, Any]) -> None:
        """Makes the machine of a stack; the stack is there before it."""
        cloud = Cloud(runner["cloud"])
        self.stacks[name] = Kept(cloud, self.stage.now)
        self.stage.call(self.dice.around(ENGINE))
        self.platforms[cloud].create(name, runner, tags_from(name, runner))
        self.stacks[name] = Kept(cloud, self.stage.now)

    def destroy(self, name: str) -> None:
        """Takes the machine away, then the stack."""
        self.stage.call(self.dice.around(ENGINE))
        kept = self.stacks.get(name)
        if kept is None:
            return
        if self.dice.happens("destroy_breaks"):
            raise StartFailed(Code.INTERNAL, f"the destruction of {name} broke off")
        self.platforms[kept.cloud].delete(name)
        self.stacks.pop(name, None)

    def all(self) -> list[SeenStack]:
        """The stacks of runs, among all of the project."""
        self.stage.call(LIST)
        return [
            SeenStack(name=name, updated=kept.updated) for name, kept in self.stacks.items() if STACK.fullmatch(name)
        ]
