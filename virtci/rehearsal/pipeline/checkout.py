"""A checkout of this project as a job gets one, with packages and programs that are here already."""

import shutil
import subprocess
from pathlib import Path

from virtci.places import ENGINE, ROOT

MAIN_GUARD = 'if __name__ == "__main__":\n'
LINKED = f"""{MAIN_GUARD}\
    # Engine and packages are links; the code of a job is that of its own checkout.
    if "GITHUB_ENV" in os.environ:
        with Path(os.environ["GITHUB_ENV"]).open("a") as file:
            file.write(f"PYTHONPATH={{ROOT}}\\n")
    sys.exit(0)
"""
"""What the set-up of a rehearsed checkout does before anything else."""


def checkout_of_this_project(folder: Path) -> Path:
    """A copy of this project as it stands, new files with it; its packages and its engine are links.

    A set-up of the copy would put the copy into the linked packages, so it only says to jobs where their code is.
    """
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in (".venv", ".engine"):
        (folder / name).symlink_to(ROOT / name)
    set_up = folder / "tools" / "engine" / "setup.py"
    set_up.write_text(set_up.read_text().replace(MAIN_GUARD, LINKED))
    return folder


def own_programs(folder: Path) -> Path:
    """Gives a checkout a folder of programs of its own, in which some can be replaced; the others stay links."""
    (folder / ".engine").unlink()
    programs = folder / ".engine" / "bin"
    programs.mkdir(parents=True)
    for program in (ENGINE / "bin").iterdir():
        (programs / program.name).symlink_to(program)
    (folder / ".engine" / "programs.json").symlink_to(ENGINE / "programs.json")
    return programs
