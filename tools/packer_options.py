"""Reads out of the sources of Packer and of its plugins which options each block of a template may have.

The result is what `packer validate` would hold a template against, names only, for machines that cannot have Packer.

How to renew the table: get the sources of hashicorp/packer, hashicorp/packer-plugin-azure, hashicorp/packer-plugin-amazon and
hashicorp/packer-plugin-vagrant at one version each, and give this program the folder that they are in and the table.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BLOCKS: dict[str, tuple[str, str, str]] = {
    "source azure-arm": ("packer-plugin-azure", "builder/azure/arm/config.hcl2spec.go", "FlatConfig"),
    "source amazon-ebs": ("packer-plugin-amazon", "builder/ebs/builder.hcl2spec.go", "FlatConfig"),
    "source vagrant": ("packer-plugin-vagrant", "builder/vagrant/builder.hcl2spec.go", "FlatConfig"),
    "data amazon-ami": ("packer-plugin-amazon", "datasource/ami/data.hcl2spec.go", "FlatConfig"),
    "provisioner shell": ("packer", "provisioner/shell/provisioner.hcl2spec.go", "FlatConfig"),
    "provisioner file": ("packer", "provisioner/file/provisioner.hcl2spec.go", "FlatConfig"),
}
"""Repository, file and structure of each block that the templates of this project use."""
_STRUCTURE = re.compile(r"^func \(\*(\w+)\) HCL2Spec\(\).*?^}", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r'^\t\t"(?P<name>\w+)":\s+&hcldec\.(?P<kind>\w+)\{(?P<rest>.*)\},?$', re.MULTILINE)
_FUNCTION = re.compile(r'^\t\t"(\w+)":\s', re.MULTILINE)
_NESTED = re.compile(r"\(\*(?:\w+\.)?(\w+)\)\(nil\)")


def functions(repository: Path) -> list[str]:
    """The functions that an expression may call."""
    return sorted(_FUNCTION.findall((repository / "hcl2template/functions.go").read_text()))


def options(repository: Path, file: str, structure: str) -> dict[str, Any]:
    """The options of a structure by name: nothing for a value, the options below it for a block."""
    texts = [path.read_text() for path in (repository / file, *sorted(repository.rglob("*.hcl2spec.go")))]
    return _options(structure, [*texts[:1], *texts[1:]])


def _options(structure: str, texts: Sequence[str]) -> dict[str, Any]:
    for text in texts:
        for found in _STRUCTURE.finditer(text):
            if found[1] == structure:
                return {item["name"]: _below(item["rest"], texts[1:]) for item in _OPTION.finditer(found[0])}
    return {}


def _below(rest: str, texts: Sequence[str]) -> dict[str, Any] | None:
    nested = _NESTED.search(rest)
    return _options(nested[1], texts) if nested else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the sources, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, help="folder with a folder for each repository")
    parser.add_argument("table", type=Path, help="the file to write, tests/images/packer-options.json")
    parser.add_argument("--version", action="append", required=True, metavar="REPOSITORY=VERSION", help="what they are")
    given = parser.parse_args(arguments)
    table = {
        "source": "hashicorp/packer and its plugins, *.hcl2spec.go",
        "versions": dict(item.split("=", 1) for item in given.version),
        "functions": functions(given.sources / "packer"),
        "blocks": {
            block: options(given.sources / repository, file, structure)
            for block, (repository, file, structure) in BLOCKS.items()
        },
    }
    given.table.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
