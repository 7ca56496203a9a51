"""Runs the rules as the engine does: values behind the SDK's proxy, numbers as floats, defaults filled in."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies import registry

UNKNOWN = UNKNOWN_STRING_VALUE
"""An unknown value, as the engine sends it."""
MADE_BY_RECORDER = re.compile(r"/ids/|(principal|client|private)-of-")
CONFIGURATIONS = Path(registry.__file__).parent / "config"
PROJECT = "urn:pulumi:test::virt-ci"
Violation = tuple[str, str, str]
"""Policy, resource, message."""


class ResourceLike(Protocol):
    """What is judged: logical name, type token, properties. `refers` may name sources by property."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def props(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Seed:
    """A resource to be judged."""

    name: str
    type: str
    props: Mapping[str, Any]
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Logical names by property, in addition to what the ids in the properties tell."""


def judge(resources: Sequence[ResourceLike], config: Mapping[str, Any]) -> list[Violation]:
    """What all policies say about some resources, with a configuration like those of `policies/config`.

    Where a value comes from is read from its ids: `/ids/<name>` and `<what>-of-<name>`, as the recorder writes them, or
    an id that ends in the resource's own name. The recorder's ids are then unknown to the rules, as in a first preview.
    """
    policies = all_policies()
    return [violation for name in policies for violation in judge_one(name, resources, config.get(name, {}))]


def judge_one(name: str, resources: Sequence[ResourceLike], config: Mapping[str, Any]) -> list[Violation]:
    """What one policy says."""
    policy = all_policies()[name]
    given = as_engine(
        {**defaults(policy), **{key: value for key, value in config.items() if key != "enforcementLevel"}}
    )
    if isinstance(policy, ResourceValidationPolicy):
        return [found for resource in resources for found in _on_resource(policy, resource, given)]
    return _on_stack(policy, resources, given)


@cache
def all_policies() -> dict[str, Any]:
    """The pack by name."""
    return {policy.name: policy for policy in registry.policies()}


def configuration(stack: str) -> dict[str, Any]:
    """The configuration of a stack, as the engine reads it."""
    content: dict[str, Any] = json.loads((CONFIGURATIONS / f"{stack}.json").read_text())
    return content


def defaults(policy: Any) -> dict[str, Any]:
    """The defaults of a policy's settings."""
    schema = policy.config_schema.properties if policy.config_schema else {}
    return {key: value["default"] for key, value in schema.items() if "default" in value}


def as_engine(value: Any) -> Any:
    """A value as the engine sends it in a first preview: every number is a float, what the cloud makes is unknown."""
    if isinstance(value, str) and MADE_BY_RECORDER.match(value):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: as_engine(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_engine(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def urn_of(resource: ResourceLike) -> str:
    """A URN that names the resource."""
    return f"{PROJECT}::{resource.type}::{resource.name}"


def _on_resource(policy: Any, resource: ResourceLike, config: Mapping[str, Any]) -> Iterable[Violation]:
    found: list[Violation] = []
    props = unknown_checking_proxy(as_engine(dict(resource.props)))
    args = ResourceValidationArgs(resource.type, props, urn_of(resource), resource.name, options(), None, config)
    policy.validate(args, lambda message, _: found.append((policy.name, resource.name, message)))
    return found


def _on_stack(policy: Any, resources: Sequence[ResourceLike], config: Mapping[str, Any]) -> list[Violation]:
    found: list[Violation] = []
    nodes = {urn_of(item): _node(item) for item in resources}
    for item in resources:
        for prop, urns in _references(item, resources).items():
            nodes[urn_of(item)].property_dependencies[prop] = [nodes[urn] for urn in urns]
    names = {urn: node.name for urn, node in nodes.items()}
    policy.validate(
        StackValidationArgs(list(nodes.values()), config),
        lambda message, urn: found.append((policy.name, names.get(urn, "stack"), message)),
    )
    return found


def _node(resource: ResourceLike) -> PolicyResource:
    props = unknown_checking_proxy(as_engine(dict(resource.props)))
    return PolicyResource(resource.type, props, urn_of(resource), resource.name, options(), None, None, [], {})


def options() -> PolicyResourceOptions:
    """The options of a resource that has none."""
    return PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])


def _references(resource: ResourceLike, resources: Sequence[ResourceLike]) -> dict[str, list[str]]:
    """The URNs of the sources of each property."""
    stated: Mapping[str, Sequence[str]] = getattr(resource, "refers", {})
    others = [item for item in resources if urn_of(item) != urn_of(resource)]
    found: dict[str, list[str]] = {}
    for prop in {*resource.props, *stated}:
        ends = {end for text in _texts(resource.props.get(prop)) for end in _ends(text)} | set(stated.get(prop, ()))
        urns = [urn_of(item) for item in others if ends & {item.name, *_own_names(item)}]
        if urns:
            found[prop] = urns
    return found


def _own_names(resource: ResourceLike) -> set[str]:
    keys = [key for key in resource.props if key == "name" or (key.endswith("Name") and key != "resourceGroupName")]
    if resource.type.endswith((":FederatedIdentityCredential", ":AgentPool", ":Secret")):
        keys = [key for key in keys if key not in ("resourceName", "vaultName")]
    if resource.type.endswith(":RepositoryEnvironment"):
        keys = ["environment"]
    return {value for key in keys if isinstance(value := resource.props[key], str)}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _ends(text: str) -> Iterable[str]:
    """The last part of an id, and what stands before the subnets of a network."""
    whole = text.split("-of-", 1)[1] if "-of-" in text else text
    yield whole.rsplit("/", 1)[-1]
    if "/subnets/" in whole:
        yield whole.split("/subnets/", 1)[0].rsplit("/", 1)[-1]
