"""What all components share: their options, names and arguments are handled in one place.

Children get `parent=self` and nothing of the caller's options; protection, providers and deletion together with
another resource are inherited by the engine anyway, and merging would hang children under the wrong parent.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi

from components.aliases import drop_version_aliases


class Component(pulumi.ComponentResource):
    """Base of every component. Refuses unknown and missing arguments, and two children of one name."""

    TYPE: ClassVar[str]
    ARGUMENTS: ClassVar[type]

    def __init__(self, name: str, args: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the component; a subclass then makes its children and calls `register_outputs` last."""
        check_arguments(type(self).__name__, name, args, self.ARGUMENTS)
        fast = pulumi.ResourceOptions(transformations=[drop_version_aliases])
        super().__init__(self.TYPE, name, None, pulumi.ResourceOptions.merge(opts, fast))
        self._name_of_component = name
        self._children: set[str] = set()

    def child_name(self, suffix: str = "") -> str:
        """The logical name of a child: it starts with the component's, and is given once for each type."""
        name = f"{self._name_of_component}-{suffix}" if suffix else self._name_of_component
        if name in self._children:
            message = f"{type(self).__name__} `{self._name_of_component}` already has a child `{name}`"
            raise ValueError(message)
        self._children.add(name)
        return name

    def options(self, **more: Any) -> pulumi.ResourceOptions:
        """The options of a child."""
        return pulumi.ResourceOptions(parent=self, **more)


def check_arguments(component: str, name: str, args: Mapping[str, Any], schema: type) -> None:
    """Raises `TypeError` when arguments are missing or unknown: a TypedDict checks nothing at run time."""
    required: frozenset[str] = schema.__required_keys__  # type: ignore[attr-defined]  # every TypedDict has it
    known: frozenset[str] = required | schema.__optional_keys__  # type: ignore[attr-defined]  # and this one
    if missing := sorted(required - args.keys()):
        message = f"{component} `{name}` needs {', '.join(missing)}"
        raise TypeError(message)
    if unknown := sorted(args.keys() - known):
        message = f"{component} `{name}` does not know {', '.join(unknown)}; it takes {', '.join(sorted(known))}"
        raise TypeError(message)
