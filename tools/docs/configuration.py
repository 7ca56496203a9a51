"""Writes `docs/configuration.md` from the models of the settings, with examples from the committed stack files.

`python -m tools.docs.configuration` writes it; with `--check` it only says whether it is fresh.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from virtci.settings.load import PROJECT
from virtci.settings.models import Settings
from virtci.settings.section import Section
from virtci.settings.types import Form

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "configuration.md"
STACKS = ("hub", "dev", "test", "dev-kubevirt", "kontain")
SHARED = "[on-demand runners](runners.md#many-launchers) have an example"
ELSEWHERE = {
    "runner": "`virtci runners start` writes it",
    "runner.revive": "`virtci runners revive` writes it",
    "runners.leases": SHARED,
    "runners.leases.server": SHARED,
}
"""Sections that no committed stack file has, and where there is one."""
ANY = "NAME"
INTRODUCTION = """\
# Configuration

Written by `python -m tools.docs.configuration` from `virtci/settings/models.py`. Change the models, not this file.

A stack is described by `Pulumi.<stack>.yaml`. Its keys stand below `config`, with the namespace `virt-ci:`, in
camelCase. A section that is left out is a system that is not there; `hub` and `environments` can stand in one stack or
in several, `runners` stands alone.

- `virtci check` reads the stack files and reports every problem at once, before an engine starts or a cloud is called.
- Values that look like numbers but are texts (`kubernetesVersion`, `shutdownTime`, `surge`, a date) stand in quotes.
- Subscription, tenant, AWS account, repositories, images, reviewers and contacts of the committed files are placeholders of the
  rehearsal. Outside a rehearsal they are refused by name: set your own with `pulumi config set --path`.
- No key holds a secret. Secrets are made by the deployment and live in the vault.
"""


def rendered() -> str:
    """The text of the file."""
    return INTRODUCTION + "".join(_section(model, paths) for model, paths in _sections().items())


def forms(annotation: Any) -> str:
    """What a value of that type looks like, in words."""
    kind, notes = _opened(annotation)
    form = next((note.words for note in notes if isinstance(note, Form)), None)
    if get_origin(kind) is tuple:
        return f"list{_bounds(notes, 'min_length', 'max_length')}: {forms(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        key, content = get_args(kind)
        return f"by {'name' if key is str else forms(key)}: {forms(content)}"
    if form:
        return form
    if issubclass(kind, Section):
        return "section"
    if issubclass(kind, Enum):
        return "one of " + ", ".join(f"`{item.value}`" for item in kind)
    words = {bool: "true or false", int: "whole number", str: "text", datetime: "moment, as in `2026-01-31T12:00:00Z`"}[
        kind
    ]
    return words + _bounds(notes, "ge", "le")


def _sections() -> dict[type[Section], list[str]]:
    """Every section model with the places where it stands, each followed by what is in it."""
    found: dict[type[Section], list[str]] = {}

    def visit(model: type[Section], path: str) -> None:
        found.setdefault(model, []).append(path)
        for name, field in model.model_fields.items():
            kind, _ = _opened(field.annotation)
            keyed = get_origin(kind) is dict
            inner, _ = _opened(get_args(kind)[1]) if keyed else (kind, ())
            if isinstance(inner, type) and issubclass(inner, Section):
                below = f"{path}.{field.alias or name}".removeprefix(".")
                visit(inner, f"{below}.{ANY}" if keyed else below)

    visit(Settings, "")
    return found


def _section(model: type[Section], paths: Sequence[str]) -> str:
    title = ", ".join(f"`{path}`" for path in paths) if paths != [""] else "Top level"
    rows = [
        f"| `{field.alias or name}` | {forms(field.rebuild_annotation())} | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
    ]
    table = "\n".join(["| Key | Type | Default | Meaning |", "|---|---|---|---|", *rows])
    return f"\n## {title}\n\n{model.__doc__}\n\n{table}\n\n{_example(model, paths)}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default in (None, {}, "") or isinstance(field.default, Section):
        return "absent"
    return f"`{json.dumps(field.default)}`"


def _example(model: type[Section], paths: Sequence[str]) -> str:
    """The keys of the section as the first committed stack file has them; sections below have examples of their own."""
    for stack in STACKS:
        name = f"Pulumi.{stack}.yaml"
        config = yaml.safe_load((ROOT / name).read_text())["config"]
        for path in paths:
            steps, value = next(_found(config, path), ([], None))
            if value is None:
                continue
            shown = {key: item for key, item in value.items() if not _is_section(model, key)}
            for step in reversed(steps):
                shown = {step: shown}
            text = yaml.dump(shown, Dumper=_ShortLists, sort_keys=False, width=1000)
            return f"From `{name}`:\n\n```yaml\n{text}```\n"
    if place := ELSEWHERE.get(paths[0]):
        return f"No committed stack file has it; {place}.\n"
    message = f"no committed stack file has an example of {' or '.join(paths)}"
    raise LookupError(message)


def _found(config: Mapping[str, Any], path: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The places of a stack file that a path leads to, with the keys on the way."""
    places: list[tuple[list[str], Any]] = [([], {_bare(key): value for key, value in config.items()})]
    for part in path.split(".") if path else ():
        places = [
            ([*steps, key], item)
            for steps, value in places
            for key, item in value.items()
            if isinstance(item, dict) and part in (key, ANY)
        ]
    for steps, value in places:
        if steps:
            yield [f"{PROJECT}:{steps[0]}", *steps[1:]], value
        else:
            yield [], {f"{PROJECT}:{key}": item for key, item in value.items()}


def _is_section(model: type[Section], key: str) -> bool:
    field = next((field for name, field in model.model_fields.items() if (field.alias or name) == _bare(key)), None)
    return field is not None and forms(field.rebuild_annotation()).endswith("section")


class _ShortLists(yaml.SafeDumper):
    """Lists in one line, as in the stack files."""

    def represent_list(self, data: Any) -> yaml.SequenceNode:
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_ShortLists.add_representer(list, _ShortLists.represent_list)


def _bare(key: str) -> str:
    return key.removeprefix(f"{PROJECT}:")


def _opened(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `Annotated` and `| None`, and its notes."""
    notes: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            notes += tuple(annotation.__metadata__)
            annotation = get_args(annotation)[0]
        elif NoneType in get_args(annotation):
            annotation = next(item for item in get_args(annotation) if item is not NoneType)
        else:
            return annotation, notes


def _bounds(notes: Sequence[Any], least_word: str, most_word: str) -> str:
    least, most = (
        next((getattr(note, word) for note in notes if hasattr(note, word)), None) for word in (least_word, most_word)
    )
    if least is None:
        return "" if most is None else f", at most {most}"
    return f", {least} or more" if most is None else f", {least} to {most}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the file; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.docs.configuration", description="Writes docs/configuration.md."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the file is not fresh")
    if not parser.parse_args(arguments).check:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(rendered())
        return 0
    fresh = FILE.exists() and FILE.read_text() == rendered()
    if not fresh:
        sys.stderr.write(f"{FILE.name} is not what the models say; run `python -m tools.docs.configuration`\n")
    return int(not fresh)


if __name__ == "__main__":
    sys.exit(main())
