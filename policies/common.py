"""What the rules share: values as plain Python, violations in one form, configuration with defaults."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policies.kinds import ENGINE_PREFIXES
from virtci.core.inventory import UNKNOWN, Resource, plain_kind

Settings = Mapping[str, Any]
Schema = Mapping[str, Mapping[str, Any]]
"""JSON schema of each setting; one without a default must be configured."""
BASELINE = "Azure.GA_2026_03"
REDACTED = "[secret]"
"""What `pulumi policy analyze` shows of a secret in an exported state."""
RULE_PAGES = "https://azure.github.io/PSRule.Rules.Azure/en/rules"


@dataclass(frozen=True, slots=True)
class Declared(Resource):
    """A resource of the stack and, by property, the resources from which its values come."""

    urn: str
    refers: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One violation. `resource` is left out by rules on a single resource."""

    observed: str
    rule: str
    fix: str
    resource: Resource | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All resources of a stack, as their outputs show them."""

    resources: Sequence[Declared]
    by_urn: Mapping[str, Declared] = field(default_factory=dict)

    def of(self, *kinds: str) -> list[Declared]:
        """The resources of some types."""
        return [item for item in self.resources if item.kind in kinds]

    def sources(self, resource: Declared, prop: str, kind: str) -> list[Declared]:
        """The resources of a type from which a property gets its value, known or not."""
        found = (self.by_urn.get(urn) for urn in resource.refers.get(prop, ()))
        return [item for item in found if item is not None and item.kind == kind]

    def users(self, resource: Declared, prop: str, *kinds: str) -> list[Declared]:
        """The resources of some types whose property points to this one."""
        return [item for item in self.of(*kinds) if resource.urn in item.refers.get(prop, ())]


ResourceCheck = Callable[[Resource, Settings], Iterable[Fault]]
StackCheck = Callable[[Fleet, Settings], Iterable[Fault]]


def resource_policy(
    name: str,
    description: str,
    kinds: tuple[str, ...],
    check: ResourceCheck,
    severity: Severity,
    covers: tuple[str, ...] = (),
    settings: Schema | None = None,
) -> ResourceValidationPolicy:
    """A policy on the inputs of each resource of some types; without types, of every resource of a cloud."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        kind = plain_kind(args.resource_type)
        if kind in kinds or (not kinds and not kind.startswith(ENGINE_PREFIXES)):
            resource = Resource(args.name, kind, plain(args.props))
            for fault in _judged(name, settings, args, lambda given: check(resource, given)):
                report(text(fault, resource.name), None)

    return ResourceValidationPolicy(validate=validate, **_metadata(name, description, severity, covers, settings))


def stack_policy(
    name: str,
    description: str,
    check: StackCheck,
    severity: Severity,
    covers: tuple[str, ...] = (),
    settings: Schema | None = None,
) -> StackValidationPolicy:
    """A policy on all resources of a stack together."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        fleet = fleet_of(args)
        for fault in _judged(name, settings, args, lambda given: check(fleet, given)):
            found = fault.resource
            report(text(fault, found.name if found else "stack"), found.urn if isinstance(found, Declared) else None)

    return StackValidationPolicy(validate=validate, **_metadata(name, description, severity, covers, settings))


def text(fault: Fault, name: str) -> str:
    """The one form of all violations."""
    return f"{name}: {fault.observed}; rule: {fault.rule}; fix: {fault.fix}"


def fleet_of(args: StackValidationArgs) -> Fleet:
    """The resources of a cloud among those of a stack."""
    found = [
        Declared(
            item.name,
            plain_kind(item.resource_type),
            plain(item.props),
            item.urn,
            {prop: frozenset(source.urn for source in items) for prop, items in item.property_dependencies.items()},
        )
        for item in args.resources
        if not item.resource_type.startswith(ENGINE_PREFIXES)
    ]
    return Fleet(found, {item.urn: item for item in found})


def plain(value: Any) -> Any:
    """A value without the SDK's proxies: unknown parts are `UNKNOWN`, whole numbers are integers.

    The proxies raise on any touch of an unknown value, and the SDK then takes the whole rule for advisory.
    """
    if isinstance(value, Mapping):
        return {key: _part(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_part(value, index) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if isinstance(value, str) and value == REDACTED else value


def at(properties: Any, path: str) -> Any:
    """The value at a dotted path; `None` where it is absent, `UNKNOWN` where it, or what holds it, is not known."""
    value = properties
    for part in path.split("."):
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def each(properties: Any, path: str) -> list[Any]:
    """The items of a list; a list that is not known has one item that is not known."""
    value = at(properties, path)
    if value is UNKNOWN:
        return [UNKNOWN]
    return list(value) if isinstance(value, list) else []


def must_be(properties: Any, path: str, wanted: Sequence[object], fix: str, where: str = "") -> Iterator[Fault]:
    """A fault unless the value is one of the wanted ones; `None` among them lets it be absent."""
    value = at(properties, path)
    if not any(type(value) is type(right) and value == right for right in wanted):
        expected = " or ".join(shown(right) for right in wanted)
        yield Fault(f"{where}{path} is {shown(value)}", f"{where}{path} is {expected}", fix)


def shown(value: object) -> str:
    """A value as people write it."""
    if value is None:
        return "absent"
    if value is UNKNOWN:
        return "not known before the deployment"
    return str(value).lower() if isinstance(value, bool) else f"`{value}`"


def is_around_a_disk(properties: Any) -> bool:
    """Whether a machine is made around a disk that exists: it has no `osProfile`, which the platform would refuse.

    User, keys and host name are those that are on the disk (hashicorp/terraform-provider-azurerm#3247).
    """
    return bool(at(properties, "storageProfile.osDisk.createOption") == "Attach")


def is_filled(value: object) -> bool:
    """Whether there is a value, known or not."""
    return value is UNKNOWN or bool(value)


def _part(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def _judged(
    name: str, schema: Schema | None, args: Any, check: Callable[[Settings], Iterable[Fault]]
) -> Iterator[Fault]:
    given: dict[str, Any] = {key: value["default"] for key, value in (schema or {}).items() if "default" in value}
    given |= plain(args.get_config())
    if missing := [key for key in schema or {} if key not in given]:
        yield Fault(
            f"policy `{name}` has no value for {', '.join(missing)}", "a limit is configured, never guessed",
            "pass policies/config/<stack>.json with --policy-pack-config",
        )  # fmt: skip
        return
    yield from check(given)


def _metadata(
    name: str, description: str, severity: Severity, covers: tuple[str, ...], schema: Schema | None
) -> dict[str, Any]:
    page = next((f"{RULE_PAGES}/{rule}/" for rule in covers if rule.startswith("Azure.")), None)
    framework = PolicyComplianceFramework("PSRule for Azure, checkov", BASELINE, ", ".join(covers)) if covers else None
    required = [key for key, value in (schema or {}).items() if "default" not in value]
    return {
        "name": name,
        "description": description,
        "severity": severity,
        "framework": framework,
        "url": page,
        "config_schema": PolicyConfigSchema({key: dict(value) for key, value in schema.items()}, required)
        if schema
        else None,
    }
