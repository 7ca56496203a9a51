"""The committed stacks: how long a reviewer waits, and how much memory the program takes."""

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from tools.bench.figures import Figure, figure, itself
from tools.bench.lab import STACKS, Lab, MeasurementError
from virtci.places import ROOT

PREVIEW_SECONDS, REHEARSAL_SECONDS, MEMORY_MB = 5.0, 45.0, 200.0
LONG_REPEATS = 2
EXECUTOR = "pulumi-language-python-exec"
PROCESSES = Path("/proc")
POLL_SECONDS = 0.02


def measure(lab: Lab) -> list[Figure]:
    """Previews with and without policies, the peak memory of the program, and the whole rehearsal."""
    memory = {stack: [_peak_memory(lab, stack)] for stack in STACKS}  # first: it warms the policies up as well
    ways = {
        f"{stack} {policies}": lab.stack(stack, policies=policies) for stack in STACKS for policies in (True, False)
    }
    found = lab.in_turn(ways)
    ways = {"fleet": partial(_rehearse, "--stack", "dev", "--stack", "test"), "everything": _rehearse}
    rehearsals = lab.in_turn(ways, LONG_REPEATS)
    figures = []
    for stack in STACKS:
        line = ("c", f"preview of `{stack}` with policies", "s")
        without = (figure(line, itself, found[f"{stack} False"]), "without policies")
        figures.append(figure(line, itself, found[f"{stack} True"], target=PREVIEW_SECONDS, against=without))
    for stack, peak in memory.items():
        figures.append(figure(("c", f"peak memory, program of `{stack}`", "MB"), itself, peak, target=MEMORY_MB))
    line = ("c", "`virtci rehearse` of `hub`, `dev` and `test`", "s")
    fleet = figure(line, itself, rehearsals["fleet"], target=REHEARSAL_SECONDS)
    line = ("c", "`virtci rehearse` with boots, clusters and pipeline", "s")
    everything = figure(line, itself, rehearsals["everything"], against=(fleet, "the fleet alone"))
    return [*figures, fleet, everything]


def _rehearse(*options: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "virtci.cli.main", "rehearse", "--json", *options]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        message = f"`virtci rehearse` ended with {run.returncode}: {(run.stderr or run.stdout).strip()[-500:]}"
        raise MeasurementError(message)
    return time.perf_counter() - started


def _peak_memory(lab: Lab, stack: str) -> float:
    """MB that the program of a preview had at its peak (VmHWM), looked up while it runs."""
    peak = 0.0
    over = threading.Event()
    project = str(lab.home_of(stack).project)

    def watch() -> None:
        nonlocal peak
        process: Path | None = None
        while not over.wait(POLL_SECONDS):
            process = process or _program(project)
            peak = max(peak, _high_water(process)) if process else peak

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        lab.stack(stack, policies=True)()
    finally:
        over.set()
        watcher.join()
    if not peak:
        message = f"the program of `{stack}` was not found among the processes of {PROCESSES}"
        raise MeasurementError(message)
    return peak


def _program(project: str) -> Path | None:
    """The process that runs the program of a project."""
    for file in PROCESSES.glob("[0-9]*/cmdline"):
        command = _text(file)
        if EXECUTOR in command and project in command:
            return file.parent
    return None


def _high_water(process: Path) -> float:
    kib = [line.split()[1] for line in _text(process / "status").splitlines() if line.startswith("VmHWM:")]
    return float(kib[0]) * 1024 / 1e6 if kib else 0.0


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:  # the process is over
        return ""
