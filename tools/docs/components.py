"""Writes `docs/components.md` from the sources of the components: `python -m tools.docs.components [--check]`.

The sources are read, not imported: docstrings under the keys of a `TypedDict` exist only there.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "components"
PAGE = ROOT / "docs" / "components.md"
COMMAND = "python -m tools.docs.components"
PARTS = ("Resources", "Refuses")
HEAD = f"""# Components

Every resource of a stack is registered by a component: a class `Name(name, args, opts)` whose arguments are a
`TypedDict`. A component checks its arguments, names its children after itself and gives them no options of its caller.
`Input[…]` means a plain value or the output of another resource.

This page is made from the docstrings by `{COMMAND}`; change them, not the page.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the arguments, or one output."""

    name: str
    type: str
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A `TypedDict`: what it is, and its keys."""

    name: str
    purpose: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """A component as its source describes it."""

    name: str
    file: str
    token: str
    purpose: str
    parts: dict[str, str]
    arguments: tuple[Arguments, ...]
    outputs: tuple[Field, ...]


def components(folder: Path = SOURCES) -> list[Component]:
    """All components of a folder, by name."""
    found = [item for file in sorted(folder.glob("*.py")) for item in _components_of(file)]
    return sorted(found, key=lambda item: item.name)


def helpers(folder: Path = SOURCES) -> list[tuple[str, str]]:
    """The modules without a component, with the first sentence of their docstrings."""
    return [
        (file.name, (ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " "))
        for file in sorted(folder.glob("*.py"))
        if file.name != "__init__.py" and not _component_classes(tree := ast.parse(file.read_text()))
    ]


def render() -> str:
    """The page."""
    found = components()
    overview = [
        f"| [`{item.name}`](#{item.name.lower()}) | `{item.token}` | {item.purpose.split('. ')[0].rstrip('.')} |"
        for item in found
    ]
    rest = [f"| [`{name}`](../components/{name}) | {_cell(purpose)} |" for name, purpose in helpers()]
    lines = [
        HEAD,
        "| Component | Type token | Purpose |\n|---|---|---|",
        *overview,
        *(line for item in found for line in _section(item)),
        "\n## Modules without a component\n\n| Module | Purpose |\n|---|---|",
        *rest,
    ]
    return "\n".join(lines) + "\n"


def publish(page: Path, text: str, command: str, arguments: Sequence[str]) -> int:
    """Writes a page or, with `--check`, compares it. Exit codes: 0 good, 1 out of date."""
    if "--check" not in arguments:
        page.write_text(text)
        return 0
    if page.exists() and page.read_text() == text:
        return 0
    sys.stderr.write(f"docs/{page.name} is out of date; run `{command}`\n")
    return 1


def _component_classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [item for item in _classes(tree) if "Component" in _bases(item)]


def _components_of(file: Path) -> Iterator[Component]:
    tree = ast.parse(file.read_text())
    dictionaries = {item.name: _arguments(item) for item in _classes(tree) if "TypedDict" in _bases(item)}
    for item in _component_classes(tree):
        purpose, parts = _described(item, file)
        constants = _constants(item)
        yield Component(
            name=item.name,
            file=file.name,
            token=ast.literal_eval(constants["TYPE"]),
            purpose=purpose,
            parts=parts,
            arguments=tuple(_with_nested(ast.unparse(constants["ARGUMENTS"]), dictionaries)),
            outputs=tuple(field for field in _fields(item) if field.meaning),
        )


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [item for item in tree.body if isinstance(item, ast.ClassDef)]


def _bases(item: ast.ClassDef) -> list[str]:
    return [ast.unparse(base) for base in item.bases]


def _constants(item: ast.ClassDef) -> dict[str, ast.expr]:
    assignments = [line for line in item.body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): line.value for line in assignments}


def _described(item: ast.ClassDef, file: Path) -> tuple[str, dict[str, str]]:
    """The purpose, and the paragraphs that begin with the name of a part."""
    paragraphs = [" ".join(text.split()) for text in (ast.get_docstring(item) or "").split("\n\n")]
    parts = {
        name: text.removeprefix(f"{name}: ") for name in PARTS for text in paragraphs if text.startswith(f"{name}: ")
    }
    if missing := [name for name in PARTS if name not in parts]:
        message = f"{file.name}: the docstring of {item.name} has no paragraph `{missing[0]}:`"
        raise ValueError(message)
    return " ".join(text for text in paragraphs if not text.startswith(tuple(f"{name}: " for name in PARTS))), parts


def _arguments(item: ast.ClassDef) -> Arguments:
    return Arguments(item.name, " ".join((ast.get_docstring(item) or "").split()), tuple(_fields(item)))


def _with_nested(name: str, dictionaries: dict[str, Arguments]) -> Iterator[Arguments]:
    """The arguments, and the dictionaries of the same file that their types name."""
    own = dictionaries[name]
    yield own
    for other in dictionaries.values():
        if other.name != name and any(other.name in field.type for field in own.fields):
            yield other


def _fields(item: ast.ClassDef) -> Iterator[Field]:
    """The annotated names of a class, each with the docstring under it."""
    for line, following in zip(item.body, [*item.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and line.value is None:
            text = ast.unparse(line.annotation).replace("pulumi.", "")
            optional = text.startswith("NotRequired[")
            kind = text.removeprefix("NotRequired[")[:-1] if optional else text
            yield Field(ast.unparse(line.target), kind, not optional, _docstring(following))


def _docstring(line: ast.stmt | None) -> str:
    is_text = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    return " ".join(ast.literal_eval(line.value).split()) if is_text and isinstance(line, ast.Expr) else ""


def _section(item: Component) -> Iterator[str]:
    yield f"\n## {item.name}\n\n`{item.token}`, in [`components/{item.file}`](../components/{item.file})\n\n{item.purpose}"
    for name in PARTS:
        yield f"\n**{name}.** {item.parts[name][0].upper()}{item.parts[name][1:]}"
    own, *nested = item.arguments
    note = own.purpose.removeprefix(f"Arguments of `{item.name}`.").strip()
    yield f"\n### Arguments of {item.name}\n" + (f"\n{note}\n" if note else "")
    yield from _table(own.fields, "Argument")
    for dictionary in nested:
        yield f"\n`{dictionary.name}`: {dictionary.purpose}\n"
        yield from _table(dictionary.fields, "Key")
    if item.outputs:
        yield f"\n### Outputs of {item.name}\n\n| Output | Type | Meaning |\n|---|---|---|"
        for field in item.outputs:
            yield f"| `{field.name}` | `{_cell(field.type)}` | {_cell(field.meaning)} |"


def _table(fields: Sequence[Field], title: str) -> Iterator[str]:
    yield f"| {title} | Type | | Meaning |\n|---|---|---|---|"
    for field in fields:
        need = "required" if field.required else "optional"
        yield f"| `{field.name}` | `{_cell(field.type)}` | {need} | {_cell(field.meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(publish(PAGE, render(), COMMAND, sys.argv[1:]))
