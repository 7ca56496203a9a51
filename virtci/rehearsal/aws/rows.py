"""What the provider does with a resource type: a row of functions, and what rows share."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

Create = Callable[[Calls, str, Values], str]
"""Makes it in a region and returns its id."""
Read = Callable[[Calls, str, str, Values], Values | None]
"""What it is like, or nothing when it is gone. The last argument is what the state knows of it."""
Update = Callable[[Calls, str, str, Values, Values], None]
"""Brings it from the old properties to the new ones, which come first."""
Delete = Callable[[Calls, str, str, Values], None]


def nothing(_calls: Calls, _region: str, _id: str, _new: Values, _old: Values) -> None:
    """For what has nothing to be finished or changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One resource type.

    `knows`: the properties that the rehearsal carries out; others that the SDK takes are refused. `replaces`: those whose
    change makes another resource (`ForceNew` in terraform-provider-aws v6, as of 2026-08). `finish`: what follows the
    creation; when it fails, the resource is there all the same.
    """

    knows: frozenset[str]
    replaces: frozenset[str]
    computed: tuple[str, ...]
    """Properties that are known only when it is made."""
    create: Create
    read: Read
    delete: Delete
    finish: Update = nothing
    update: Update = nothing
    defaults: Mapping[str, Any] = field(default_factory=dict)


def words(text: str) -> frozenset[str]:
    """A set of names, written as one text."""
    return frozenset(text.split())


def only(given: Values, known: Set[str], what: str) -> None:
    """Raises `CloudError` for a part that the SDK takes and the rehearsal does not carry out."""
    if unknown := sorted(name for name, value in given.items() if name not in known and value not in (None, [], False)):
        raise CloudError(501, "NotRehearsed", f"The rehearsal does not carry out {', '.join(unknown)} of {what}.")


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as the services take them."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tag_map(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as Pulumi has them; what AWS put there itself is not shown."""
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def tags_of(live: Values) -> Values:
    """The properties with the tags in a description."""
    tags = tag_map(live.get("Tags", ()))
    return {"tags": tags, "tagsAll": tags}


def changed_tags(new: Values, old: Values) -> tuple[list[str], list[dict[str, str]]]:
    """The keys that go, and the tags that come or change, as the services take them."""
    before, after = old.get("tags") or {}, new.get("tags") or {}
    fresh = {key: value for key, value in after.items() if before.get(key) != value}
    return [key for key in before if key not in after], tag_list(fresh)


def tagged(kind: str, inputs: Values) -> list[Values] | None:
    """Tags of a new resource of EC2."""
    tags = tag_list(inputs.get("tags"))
    return [{"ResourceType": kind, "Tags": tags}] if tags else None


def retag(calls: Calls, region: str, resource_id: str, new: Values, old: Values) -> None:
    """Brings the tags of a resource of EC2 up to date."""
    gone, fresh = changed_tags(new, old)
    if gone:
        calls("ec2", region, "delete_tags", Resources=[resource_id], Tags=[{"Key": key} for key in gone])
    if fresh:
        calls("ec2", region, "create_tags", Resources=[resource_id], Tags=fresh)


def unless_gone(look: Callable[[], Values]) -> Values | None:
    """What a call gives; nothing where the service does not know what it is about."""
    try:
        return look()
    except CloudError as error:
        if "NotFound" in error.code or error.code == "NoSuchEntity":
            return None
        raise


def found(look: Callable[[], Values], key: str) -> Values | None:
    """The one item of an answer; nothing where the service does not know it."""
    answer = unless_gone(look)
    return next(iter(answer[key]), None) if answer else None


def removed(remove: Callable[[], Values]) -> None:
    """Deletes; what is gone already is fine."""
    unless_gone(remove)


def pascal(value: Any) -> Any:
    """Properties as the services name them; a map of tags becomes a list."""
    if isinstance(value, Mapping):
        return {
            f"{name[0].upper()}{name[1:]}": tag_list(item) if name == "tags" else pascal(item)
            for name, item in value.items()
        }
    return [pascal(item) for item in value] if isinstance(value, list) else value


def camel(value: Any) -> Any:
    """The reverse of `pascal`."""
    if isinstance(value, Mapping):
        return {
            f"{name[0].lower()}{name[1:]}": tag_map(item) if name == "Tags" else camel(item)
            for name, item in value.items()
        }
    return [camel(item) for item in value] if isinstance(value, list) else value


def like(given: Any, live: Any) -> Any:
    """What is live, in the parts and in the writing of what was given: services fill in, and Pulumi has texts for flags."""
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {name: like(item, live[name]) for name, item in given.items() if name in live}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [like(item, other) for item, other in zip(given, live, strict=True)]
    return given if str(given).lower() == str(live).lower() else live
