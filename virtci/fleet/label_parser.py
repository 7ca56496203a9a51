"""ginkgo's own parser of label filters, where the program is there (`make programs`)."""

import shutil
import subprocess
from collections.abc import Callable

from virtci.core.problems import Refusal
from virtci.places import ENGINE

PROGRAM = "label-filter"


def label_parser(*, required: bool) -> Callable[[str], str] | None:
    """What says of a filter why ginkgo cannot read it; nothing where the program is not there.

    Raises `Refusal` when it is required and not there.
    """
    found = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=str(ENGINE / "bin"))
    if found is None:
        if required:
            raise Refusal(
                f"the program {PROGRAM} is on PATH or in .engine/bin",
                "a filter that ginkgo cannot read would be found after the build only",
                f"run `python3 tools/engine/programs.py {PROGRAM}`",
            )
        return None
    program = found

    def problem(text: str) -> str:
        done = subprocess.run([program, text], check=False, capture_output=True, text=True)
        return "" if done.returncode == 0 else " ".join(done.stderr.split())

    return problem
