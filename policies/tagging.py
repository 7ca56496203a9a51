"""Tagging: everything has an owner, a system, an environment, a lifetime class and a stack."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy, shown
from policies.kinds import TAGGABLE
from virtci.core.inventory import CLUSTER, UNKNOWN, Resource
from virtci.core.tags import tag_faults

FIX = "give it the tags of virtci.core.tags.tags(); their values are in the stack file"
RULE = "the required tags are there and have allowed values"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from resources that nobody answers for, and that no bill and no clean-up finds."""
    allowed = {name: tuple(map(str, values)) for name, values in settings["allowed"].items()}
    yield from _judge(at(resource.properties, "tags"), allowed, "")
    if resource.kind == CLUSTER:
        for index, pool in enumerate(each(resource.properties, "agentPoolProfiles")):
            yield from _judge(at(pool, "tags"), allowed, f"agentPoolProfiles[{index}]: ")


def _judge(tags: Any, allowed: Mapping[str, tuple[str, ...]], where: str) -> Iterator[Fault]:
    if tags is UNKNOWN or UNKNOWN in (tags or {}).values():
        yield Fault(f"{where}tags is {shown(UNKNOWN)}", RULE, "tags come from the stack file, not from other resources")
        return
    found = {name: str(value) for name, value in (tags or {}).items()}
    fitting = {name: (*values, *_matched(found.get(name, ""), values)) for name, values in allowed.items()}
    for fault in tag_faults(found, fitting):
        yield Fault(f"{where}{fault}", RULE, FIX)


def _matched(value: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The value itself where a pattern such as `run-*` stands for it."""
    return (value,) if any(fnmatchcase(value, pattern) for pattern in patterns) else ()


POLICY = resource_policy(
    "tagging",
    "Every resource that can have tags has the required ones, with allowed values.",
    TAGGABLE,
    faults,
    Severity.MEDIUM,
    covers=("Azure.Resource.UseTags", "Azure.Resource.RequiredTags", "Azure.Group.RequiredTags"),
    settings={
        "allowed": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "required": ["owner", "system", "environment", "stack"],
        }
    },
)
