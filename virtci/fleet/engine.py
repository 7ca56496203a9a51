"""Runs the engine's preview as a person would, with its output in sight, and reads what it did from its event log."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from virtci.core.problems import Refusal
from virtci.fleet.events import Log, read_log
from virtci.places import ENGINE, POLICIES, ROOT

# Without it the engine has no --event-log.
DEBUG_COMMANDS = "PULUMI_DEBUG_COMMANDS"


def preview(stack: str, *, refresh: bool = False) -> Log:
    """Previews a stack with the policies; with `refresh`, without them, but every resource is read from its cloud first.

    Changes nothing and takes no lock. The event log holds secrets, so it lives in a folder of its own until it is read.
    Raises `Refusal` when there is no engine, or it left no log.
    """
    pulumi = shutil.which("pulumi") or str(ENGINE / "bin" / "pulumi")
    with tempfile.TemporaryDirectory(prefix="virt-ci-preview-") as folder:
        file = Path(folder) / "events.jsonl"
        command = [pulumi, "preview", "--stack", stack, "--non-interactive", "--color", "never", "--diff"]
        command += ["--event-log", str(file), *(["--refresh"] if refresh else _policies(stack))]
        try:
            done = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, DEBUG_COMMANDS: "true"})
        except OSError as error:
            raise Refusal(
                f"`{pulumi}` is the engine: {error}", "nothing can be previewed", "run `make setup`, which brings it"
            ) from error
        log = read_log(file)
    log.succeeded = log.succeeded and done.returncode == 0
    return log


def _policies(stack: str) -> list[str]:
    configuration = POLICIES / "config" / f"{stack}.json"
    return [
        "--policy-pack",
        str(POLICIES),
        *(["--policy-pack-config", str(configuration)] if configuration.exists() else []),
    ]
