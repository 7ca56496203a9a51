"""Stand-ins for the actions of others: what they do to files, and what they refuse, without GitHub and without a network.

`python -m virtci.rehearsal.pipeline.stand_ins ACTION` runs as the only step of `actions/OWNER/NAME/action.yaml`, with the inputs in
`INPUTS` and the rehearsal in the file that `REHEARSAL` names. Sources: the actions' own `action.yml` and README at the
versions that the workflows pin.
"""

import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Inputs = Mapping[str, str]
FORBIDDEN = set('":<>|*?\r\n\\/')
"""What the name of an artifact must not hold."""
ID_TOKENS = "REHEARSAL_ID_TOKENS"
"""Names the address of GitHub's identity tokens. GitHub gives it to every step of a job that may have them; here it comes
with the first login."""
NO_IDENTITY = (
    "Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable. "
    "Please make sure to give write permissions to id-token in the workflow."
)


class StandInError(Exception):
    """What the action would have said before it failed."""


def checkout(inputs: Inputs, rehearsal: Mapping[str, Any]) -> dict[str, str]:
    """`actions/checkout`: a repository at its commit, into the workspace or a folder of it, which is emptied before."""
    workspace = Path(os.environ["GITHUB_WORKSPACE"]).resolve()
    name = inputs.get("repository") or os.environ["GITHUB_REPOSITORY"]
    target = (workspace / inputs.get("path", "")).resolve()
    if not target.is_relative_to(workspace):
        raise StandInError(f"Repository path '{target}' is not under '{workspace}'")
    source = rehearsal["repositories"].get(name)
    if source is None:
        raise StandInError(f"fatal: repository 'https://github.com/{name}/' not found")
    wanted = inputs.get("ref") or source["commit"]
    if wanted != source["commit"] and not _is_branch(Path(source["folder"]), wanted):
        raise StandInError(f"fatal: remote error: upload-pack: not our ref {wanted}")
    _empty(target)
    if (Path(source["folder"]) / ".git").is_dir():
        commands = (
            ["clone", "--quiet", source["folder"], str(target)],
            ["-C", str(target), "checkout", "--quiet", wanted],
        )
        for command in commands:
            subprocess.run(["git", *command], check=True)  # noqa: S607  whichever git the machine has
    else:
        shutil.copytree(source["folder"], target, symlinks=True, dirs_exist_ok=True)
    return {"ref": wanted, "commit": wanted}


def _is_branch(folder: Path, name: str) -> bool:
    """Whether a repository has a branch of that name; a copy without history has none."""
    asked = ["git", "-C", str(folder), "show-ref", "--verify", "--quiet", f"refs/heads/{name}"]
    return (folder / ".git").is_dir() and subprocess.run(asked, check=False).returncode == 0


def upload_artifact(inputs: Inputs, rehearsal: Mapping[str, Any]) -> dict[str, str]:
    """`actions/upload-artifact`: files under their least common folder, once for each name unless it may be replaced."""
    name = inputs.get("name") or "artifact"
    if FORBIDDEN & set(name):
        raise StandInError(f"The artifact name is not valid: {name}")
    target = Path(rehearsal["artifacts"]) / name
    if not inputs.get("path"):
        raise StandInError("Input required and not supplied: path")
    files = _found(inputs["path"], hidden=inputs.get("include-hidden-files") == "true")
    if not files:
        message = f"No files were found with the provided path: {inputs['path']}. No artifacts will be uploaded."
        if inputs.get("if-no-files-found", "warn") == "error":
            raise StandInError(message)
        _say(f"::warning::{message}")
        return {}
    if target.exists() and inputs.get("overwrite") != "true":
        raise StandInError(
            "Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: "
            "an artifact with this name already exists on the workflow run"
        )
    shutil.rmtree(target, ignore_errors=True)
    root = Path(os.path.commonpath([_root(pattern) for pattern in _patterns(inputs["path"])]))
    for file in files:
        place = target / (file.name if root == file else file.relative_to(root))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)
    return {"artifact-id": str(uuid.uuid4().int % 10**9)}


def download_artifact(inputs: Inputs, rehearsal: Mapping[str, Any]) -> dict[str, str]:
    """`actions/download-artifact`: one by name into the path, or those of a pattern, each into a folder of its own."""
    artifacts = Path(rehearsal["artifacts"])
    target = Path(os.environ["GITHUB_WORKSPACE"]) / inputs.get("path", "")
    target.mkdir(parents=True, exist_ok=True)
    if inputs.get("name"):
        if not (artifacts / inputs["name"]).is_dir():
            raise StandInError(f"Unable to download artifact(s): Artifact not found for name: {inputs['name']}")
        shutil.copytree(artifacts / inputs["name"], target, dirs_exist_ok=True)
    else:
        names = sorted(path.name for path in artifacts.iterdir())
        for name in fnmatch.filter(names, inputs.get("pattern") or "*"):
            merged = inputs.get("merge-multiple") == "true"
            shutil.copytree(artifacts / name, target if merged else target / name, dirs_exist_ok=True)
    return {"download-path": str(target)}


def azure_login(inputs: Inputs, rehearsal: Mapping[str, Any]) -> dict[str, str]:
    """`azure/login` with a federated identity; a job gets a token for that only when it may write `id-token`."""
    for name in ("client-id", "tenant-id", "subscription-id"):
        value = inputs.get(name, "")
        if name == "subscription-id" and inputs.get("allow-no-subscriptions") == "true" and not value:
            continue
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
            raise StandInError(
                f"Login failed with Error: Using auth-type: SERVICE_PRINCIPAL. Not all values are present. Ensure "
                f"'client-id' and 'tenant-id' are supplied; {name} is `{value}`."
            )
    if inputs.get("creds"):
        raise StandInError("a login with a stored secret is not what these workflows do")
    if [os.environ["GITHUB_WORKFLOW"], os.environ["GITHUB_JOB"]] not in rehearsal["identityJobs"]:
        raise StandInError(NO_IDENTITY)
    if rehearsal["logins"] is not None:
        _open_clouds(rehearsal["logins"], inputs["client-id"], inputs["tenant-id"])
    if tokens := os.environ.get(ID_TOKENS):
        _give({"ACTIONS_ID_TOKEN_REQUEST_URL": tokens, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "rehearsal"})
    return {}


def _open_clouds(logins: Mapping[str, str], client: str, tenant: str) -> None:
    """Lets the steps after the login see the clouds as that identity."""
    if client not in logins:
        raise StandInError(
            f"AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'."
        )
    _give({"VIRTCI_CLOUDS": logins[client]})


def _give(environment: Mapping[str, str]) -> None:
    """Sets variables for the steps that follow."""
    with Path(os.environ["GITHUB_ENV"]).open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in environment.items())


def create_github_app_token(inputs: Inputs, _: Mapping[str, Any]) -> dict[str, str]:
    """`actions/create-github-app-token`: a token for what the inputs name."""
    if not (inputs.get("client-id") or inputs.get("app-id")):
        raise StandInError("Either 'client-id' or 'app-id' input must be set")
    if not inputs.get("private-key"):
        raise StandInError("The 'private-key' input must be set to a non-empty string.")
    return {"token": "rehearsal-app-token"}


ACTIONS: dict[str, Callable[[Inputs, Mapping[str, Any]], dict[str, str]]] = {
    "actions/checkout": checkout,
    "actions/upload-artifact": upload_artifact,
    "actions/download-artifact": download_artifact,
    "azure/login": azure_login,
    "actions/create-github-app-token": create_github_app_token,
}
SECRETS = ("private-key", "token", "github-token", "creds")


def main(action: str) -> int:
    """Runs one stand-in; returns its exit code."""
    rehearsal = json.loads(Path(os.environ["REHEARSAL"]).read_text())
    inputs = {name: str(value) for name, value in json.loads(os.environ["INPUTS"]).items() if value not in (None, "")}
    call = {
        "action": action,
        "workflow": os.environ["GITHUB_WORKFLOW"],
        "job": os.environ["GITHUB_JOB"],
        "inputs": {name: value for name, value in inputs.items() if name not in SECRETS},
    }
    with Path(rehearsal["calls"]).open("a") as calls:
        calls.write(json.dumps(call) + "\n")
    try:
        outputs = ACTIONS[action](inputs, rehearsal)
    except (StandInError, subprocess.CalledProcessError) as error:
        _say(f"::error::{error}")
        return 1
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _patterns(text: str) -> list[str]:
    workspace = os.environ["GITHUB_WORKSPACE"]
    return [str(Path(workspace) / line.strip()) for line in text.splitlines() if line.strip()]


def _root(pattern: str) -> str:
    """The longest part of a pattern without wildcards."""
    parts = Path(pattern).parts
    plain = [part for number, part in enumerate(parts) if not any(glob.has_magic(each) for each in parts[: number + 1])]
    return str(Path(*plain))


def _found(text: str, *, hidden: bool) -> list[Path]:
    found: dict[Path, None] = {}
    for pattern in _patterns(text):
        for match in sorted(Path("/").glob(pattern.lstrip("/"))):
            inside = [match] if match.is_file() else sorted(match.rglob("*"))
            found |= {path: None for path in inside if path.is_file() and (hidden or not _is_hidden(path, pattern))}
    return list(found)


def _is_hidden(path: Path, pattern: str) -> bool:
    root = _root(pattern)
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _empty(folder: Path) -> None:
    """As the action does: what an earlier job left on a machine of one's own goes away, links as links."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in folder.iterdir():
        shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
