"""Tags as a resource of their own: `<resource>/providers/Microsoft.Resources/tags/default`.

Whoever may write them need not be able to write the resource. Rules: azure-docs, tag-resources.md (limits), REST reference
of `Tags - Update At Scope` (operations, case of names).
"""

from virtci.core.tags import FORBIDDEN_IN_NAMES, MAXIMUM_NAME, MAXIMUM_TAGS, MAXIMUM_VALUE
from virtci.rehearsal.azure import errors, ids, models
from virtci.rehearsal.azure.bodies import judge
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.bridge import Values

MODULE = "azure.mgmt.resource.resources.models"


def read(store: Store, path: str) -> Values:
    """The tags of a resource."""
    return _shown(_tagged(store, path))


def patch(store: Store, path: str, body: Values) -> Values:
    """Merges tags into those of a resource, replaces them, or deletes the named ones."""
    record = _tagged(store, path)
    problems = judge(models.shape(MODULE, "TagsPatchResource"), body)
    asked = (body.get("properties") or {}).get("tags")
    if problems or not isinstance(asked, dict) or not body.get("operation"):
        listed = "; ".join(f"'{item.property}' {item.reason}" for item in problems) or "operation or tags are missing"
        raise errors.bad("InvalidRequestContent", f"The request content was invalid: {listed}.")
    before = dict(record.body.get("tags") or {})
    tags = _patched(before, asked, str(body.get("operation")))
    _check(tags)
    record.body["tags"] = tags
    record.asked["tags"] = dict(tags)
    return _shown(record)


def _tagged(store: Store, path: str) -> Record:
    target = f"/subscriptions/{store.scenario.subscription}/{path}"
    record = store.get(target)
    if record is None:
        raise errors.resource_not_found(ids.parse(target))
    return record


def _patched(before: dict[str, str], asked: dict[str, str], operation: str) -> dict[str, str]:
    """Names are the same in any case of letters, and keep the case in which they were first written."""
    spelling = {name.lower(): name for name in before}
    named = {spelling.get(name.lower(), name): value for name, value in asked.items()}
    if operation == "Delete":
        return {name: value for name, value in before.items() if name not in named}
    return named if operation == "Replace" else before | named


def _check(tags: dict[str, str]) -> None:
    if len(tags) > MAXIMUM_TAGS:
        raise errors.bad("TooManyTags", f"{len(tags)} tags; a resource takes {MAXIMUM_TAGS}.")
    for name, value in tags.items():
        if not 0 < len(name) <= MAXIMUM_NAME or FORBIDDEN_IN_NAMES.search(name):
            raise errors.bad("InvalidTagName", f"The tag name '{name[:40]}' is not valid.")
        if len(value) > MAXIMUM_VALUE:
            text = f"The value of tag '{name}' has {len(value)} characters; a tag takes {MAXIMUM_VALUE}."
            raise errors.bad("TagValueTooLong", text)


def _shown(record: Record) -> Values:
    return {
        "id": f"{record.id}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(record.body.get("tags") or {})},
    }
