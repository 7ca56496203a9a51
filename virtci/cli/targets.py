"""Which environments a command acts on: the outputs of the deployed stacks, from files or from the engine."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from virtci.cli.outputs import stack_output
from virtci.core.environments import Environment
from virtci.core.problems import ProblemsError, Refusal
from virtci.outputs.check import contract_faults, read
from virtci.outputs.contract import Outputs
from virtci.outputs.fleet import Fleet, fleet_of
from virtci.places import stack_file, stacks

if TYPE_CHECKING:
    from virtci.settings.models import Settings

CONTENTS = "-kubevirt"
"""How the names of stacks with the contents of a cluster end."""
OUTPUTS_HELP = (
    "read the outputs of the hub and of the environments' stacks from these JSON files; default: ask the engine, "
    "`pulumi stack output --json`, for every stack that has a file"
)


def add_outputs(parser: Any) -> None:
    """Adds the option that says where the outputs are."""
    parser.add_argument("--outputs", type=Path, nargs="+", metavar="FILE", help=OUTPUTS_HELP)


def add_environment(parser: Any) -> None:
    """Adds the one environment that a command acts on, and where its outputs are."""
    parser.add_argument("environment", metavar="ENV", choices=[item.value for item in Environment], help="environment")
    add_outputs(parser)


def fleet(arguments: argparse.Namespace) -> Fleet:
    """The fleet of a command's outputs. Raises `Refusal` when they cannot be read or break the contract."""
    if arguments.outputs:
        return fleet_of(_outputs(str(file), _text(file)) for file in arguments.outputs)
    return fleet_of(_deployed())


def _deployed() -> Iterator[Outputs]:
    """The outputs of every stack that has a file; the contents of a cluster may not be there yet."""
    for name in stacks():
        try:
            text = _asked(name)
        except Refusal:
            if not name.endswith(CONTENTS):
                raise
        else:
            yield _outputs(f"stack `{name}`", text)


def stack_outputs(file: Path | None, stack: str) -> Outputs:
    """The outputs of one stack: of a file, or of the engine. A file may list several stacks, as the variable does.

    Raises `Refusal` when they cannot be read, break the contract, or are another stack's.
    """
    if file is None:
        return _outputs(f"stack `{stack}`", _asked(stack))
    text = _text(file)
    for item in _items(text):
        if isinstance(item, dict) and item.get("stack") == stack:
            return _outputs(str(file), json.dumps(item))
    return _outputs(str(file), text)


def stack_settings(stack: str, otherwise: str) -> "Settings":
    """The settings of a stack. Raises `Refusal`, which says what follows, for a file that is not there or has problems."""
    from virtci.fleet.clouds import VARIABLE
    from virtci.settings.load import from_file, is_rehearsal

    file = stack_file(stack)
    try:
        return from_file(file, is_rehearsal() or VARIABLE in os.environ)
    except (ProblemsError, OSError) as error:
        raise Refusal(
            f"{file.name} can be read and has no problems", f"{otherwise}: {error}", f"virtci check {stack}"
        ) from None


def progress(sentence: str) -> None:
    """Tells a person what is going on; results alone go to standard output."""
    print(sentence, file=sys.stderr, flush=True)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise Refusal(
            f"{file} is a file with the outputs of a stack",
            f"the fleet is not known: {error.strerror}",
            "write it: virtci outputs --stack STACK > FILE",
        ) from None


def _items(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []


def _asked(stack: str) -> str:
    try:
        text = stack_output(stack)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise Refusal(
            f"the engine tells the outputs of stack `{stack}`",
            f"the fleet is not known: {said}",
            "log in to the state (PULUMI_BACKEND_URL), or name files: --outputs FILE…",
        ) from None
    if text.strip() in ("", "{}"):
        raise Refusal(f"stack `{stack}` was deployed", "it has no outputs", f"pulumi up --stack {stack}")
    return text


def _outputs(what: str, text: str) -> Outputs:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        raise Refusal(
            f"{what} holds the outputs of a stack as JSON", "the fleet is not known", "virtci outputs --stack STACK"
        ) from None
    try:
        return read(found)
    except ValidationError:
        faults = "; ".join(contract_faults(found)[:3])
        raise Refusal(
            f"{what} keeps the output contract: {faults}",
            "the fleet is not known",
            "deploy the stack again with this version of the program",
        ) from None
