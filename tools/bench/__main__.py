"""Runs the measurements and shows them: `python -m tools.bench --help`."""

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pulumi.automation import CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.bench import fixed, growth, interfaces, runners, stacks, terraform
from tools.bench.figures import HEADINGS, Figure, markdown, rewrite
from tools.bench.lab import MeasurementError, NotHereError, lab
from virtci.places import ROOT

GROUPS = {"a": fixed, "b": interfaces, "c": stacks, "d": growth, "e": terraform, "f": runners}
DOCUMENT = ROOT / "docs" / "performance.md"
WIDTH = 160
STYLES = {"good": "green", "misses": "red", "noise": "yellow", "": ""}
console = Console(highlight=False, markup=False, soft_wrap=True, width=WIDTH)


def main() -> int:
    """Measures, prints, and where asked for writes; 1 when something did not run."""
    arguments = parse()
    repeat = max(1, arguments.repeat or (2 if arguments.quick else 5))
    caption = describe(repeat, arguments.quick)
    figures: list[Figure] = []
    skipped: list[str] = []
    failed: list[str] = []
    with lab(repeat, arguments.quick, lambda text: console.print(f"   {text}", style="dim")) as made:
        for group in arguments.only:
            console.print(f"{group}  {GROUPS[group].__doc__}", style="bold")
            try:
                figures += GROUPS[group].measure(made)
            except NotHereError as absent:
                skipped.append(f"{group}: {absent}")
            except (MeasurementError, CommandError, subprocess.SubprocessError) as error:
                failed.append(f"{group} failed: {error}")
    console.print(table(figures))
    console.print(*skipped, *failed, caption, sep="\n")
    if arguments.json:
        plain = [as_plain(item) for item in figures]
        found = {"caption": caption, "figures": plain, "skipped": skipped, "failed": failed}
        arguments.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    if arguments.write and not failed:
        content = "\n\n".join([caption, markdown(figures), *skipped])
        DOCUMENT.write_text(rewrite(DOCUMENT.read_text(), content))
    missed = arguments.strict and any(item.verdict not in ("good", "") for item in figures)
    return 1 if failed or missed else 0


def parse() -> argparse.Namespace:
    """The command line."""
    epilog = "; ".join(f"{name}: {group.__doc__}" for name, group in GROUPS.items())
    parser = argparse.ArgumentParser(prog="tools.bench", description="Measures previews.", epilog=f"Groups: {epilog}")
    parser.add_argument("--only", type=groups, default=tuple(GROUPS), metavar="a,b,…", help="only these groups")
    parser.add_argument("--quick", action="store_true", help="fewer machines in group d, two repeats")
    parser.add_argument("--repeat", type=int, metavar="N", help="repeats; default: 5, quick 2; of what is long, 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument("--write", action="store_true", help=f"rewrite the table in {DOCUMENT.relative_to(ROOT)}")
    parser.add_argument("--strict", action="store_true", help="a target that is not met is an error")
    arguments = parser.parse_args()
    if arguments.write and len(arguments.only) < len(GROUPS):
        parser.error("--write needs all groups: the table would lose the others")
    return arguments


def groups(text: str) -> tuple[str, ...]:
    """The groups of `--only`, in the order of the table."""
    wanted = set(text.split(","))
    if unknown := sorted(wanted - GROUPS.keys()):
        message = f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}"
        raise argparse.ArgumentTypeError(message)
    return tuple(group for group in GROUPS if group in wanted)


def table(figures: list[Figure]) -> Table:
    """The table for people."""
    made = Table(*HEADINGS, box=None, header_style="dim", pad_edge=False)
    for item in figures:
        made.add_row(*map(Text, item.row), style=STYLES[item.verdict])
    return made


def as_plain(item: Figure) -> dict[str, object]:
    """A figure for tools; JSON knows no number that is none."""
    found = {**asdict(item), "verdict": item.verdict}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in found.items()}


def describe(repeat: int, quick: bool) -> str:
    """When, on what, how often and beside how much other work was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date().isoformat()
    kind = f"{'quick' if quick else 'full'} run, up to {repeat} repeats, load {os.getloadavg()[0]:.1f} at the start"
    return f"{today}, {os.cpu_count()} cores, {memory:.0f} GiB; {kind}."


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MeasurementError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
