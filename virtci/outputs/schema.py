"""The output contract as JSON Schema, for consumers that do not read Python; and what counts as breaking it.

`python -m virtci.outputs.schema` writes `virtci/outputs/schema/outputs.v<VERSION>.json` and refuses a change that
breaks consumers of that version; with `--check` it only says whether the file is what the models say.

The schema is that of a reader: properties that it does not know are allowed, because adding one is no breach.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from virtci.outputs.contract import VERSION, Outputs

FOLDER = Path(__file__).with_name("schema")
FILE = FOLDER / f"outputs.v{VERSION}.json"
NARROWING = (
    "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip

Node = Mapping[str, Any]


def schema() -> dict[str, Any]:
    """The JSON Schema of the contract."""
    built: dict[str, Any] = _for_readers(Outputs.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"virt-ci outputs, version {VERSION}",
        **built,
    }


def rendered() -> str:
    """The text of the committed file."""
    return json.dumps(schema(), indent=2) + "\n"


def breaking_changes(old: Node, new: Node) -> list[str]:
    """What a consumer of the old schema cannot live with in the new one, a sentence each."""
    return list(_Comparison(old, new).changes("outputs", old, new))


class _Comparison:
    """Two schemas, walked side by side; each side resolves its own references."""

    def __init__(self, old: Node, new: Node) -> None:
        self.old, self.new = old, new

    def changes(self, path: str, old: Node, new: Node) -> Iterator[str]:
        before, after = _by_type(old, self.old), _by_type(new, self.new)
        for kind in sorted(before.keys() - after.keys()):
            yield f"{path}: can no longer be {kind}"
        for kind in sorted(after.keys() - before.keys()):
            yield f"{path}: can now be {kind} as well"
        for kind in sorted(before.keys() & after.keys()):
            yield from self._values(path, before[kind], after[kind])
            yield from self._properties(path, before[kind], after[kind])
            yield from self._contents(path, before[kind], after[kind])

    def _values(self, path: str, old: Node, new: Node) -> Iterator[str]:
        if "enum" in new and "enum" not in old:
            yield f"{path}: takes only a list of values now"
        for value in old.get("enum", ()):
            if value not in new.get("enum", (value,)):
                yield f"{path}: the value `{value}` is gone"
        for word in NARROWING:
            if word in new and old.get(word) != new[word]:
                yield f"{path}: {word} is `{new[word]}`, was `{old.get(word, 'free')}`"

    def _properties(self, path: str, old: Node, new: Node) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(before.keys() - after.keys()):
            yield f"{path}.{name}: removed or renamed"
        for name in sorted(is_required - was_required):
            yield f"{path}.{name}: {'became' if name in before else 'is new and'} required"
        for name in sorted((was_required & after.keys()) - is_required):
            yield f"{path}.{name}: may be absent now"
        for name in sorted(before.keys() & after.keys()):
            yield from self.changes(f"{path}.{name}", before[name], after[name])

    def _contents(self, path: str, old: Node, new: Node) -> Iterator[str]:
        for word, shown in (("items", "[]"), ("additionalProperties", ".*"), ("propertyNames", ".(name)")):
            if isinstance(new.get(word), Mapping):
                yield from self.changes(f"{path}{shown}", old.get(word) or {}, new[word])


def _by_type(node: Node, root: Node) -> dict[str, Node]:
    """The alternatives of a node by the type of value that they take; a node that says nothing takes any value."""
    if "$ref" in node:
        resolved: Any = root
        for part in str(node["$ref"]).removeprefix("#/").split("/"):
            resolved = resolved[part]
        return _by_type(resolved, root)
    found: dict[str, Node] = {}
    for alternative in node.get("anyOf", ()):
        found |= _by_type(alternative, root)
    return found or {str(node.get("type", "anything")): node}


def _for_readers(node: Any) -> Any:
    """Without the titles that only repeat names, and open for properties that come later."""
    if isinstance(node, list):
        return [_for_readers(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _for_readers(item) for name, item in value.items()} if key == "properties" else _for_readers(value)
        for key, value in node.items()
        if key != "title" and not (key == "additionalProperties" and value is False)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the committed file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m virtci.outputs.schema", description="The contract as JSON Schema.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the file is not fresh")
    parsed = parser.parse_args(arguments)
    committed = FILE.read_text() if FILE.exists() else ""
    breaking = breaking_changes(json.loads(committed), schema()) if committed else []
    if breaking:
        sys.stderr.write("this breaks the consumers of the outputs; raise VERSION in virtci/outputs/contract.py:\n")
        sys.stderr.writelines(f"  {change}\n" for change in breaking)
        return 1
    if parsed.check:
        if committed != rendered():
            sys.stderr.write(f"{FILE.name} is not what the models say; run `python -m virtci.outputs.schema`\n")
        return int(committed != rendered())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main())
