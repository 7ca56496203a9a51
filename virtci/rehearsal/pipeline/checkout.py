"""The checkouts that jobs get: of this project, with packages and programs that are here already, and of its users."""

import shutil
import subprocess
from pathlib import Path

from virtci.places import ENGINE, ROOT
from virtci.rehearsal.pipeline.act import Repository

COMMIT = "4a5e1e4baab89f3a32518a88c31bc87f618f7667"
"""The commit of virt-ci that its users trust; the files are those of this checkout."""

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


def user_of_this_project(stand_in: str, folder: Path, infrastructure: str, branch: str) -> Repository:
    """A repository that calls the workflows of `infrastructure`: the stand-in of that name, as one commit on its branch."""
    shutil.copytree(Path(__file__).with_name(stand_in), folder)
    for workflow in (folder / ".github" / "workflows").iterdir():
        text = workflow.read_text().replace("INFRASTRUCTURE", infrastructure).replace("@COMMIT", f"@{COMMIT}")
        workflow.write_text(text)
    (folder / ".gitignore").write_text("_out/\n_ci-configs/\n")
    author = ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@rehearsal.example"]
    commands = (
        ["init", "--quiet", "--initial-branch", branch],
        ["add", "--all"],
        [*author, "commit", "--quiet", "--message", stand_in],
    )
    for command in commands:
        subprocess.run(["git", *command], cwd=folder, check=True)  # noqa: S607  whichever git the machine has
    head = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(head, cwd=folder, check=True, capture_output=True, text=True)
    return Repository(folder=folder, commit=done.stdout.strip())
