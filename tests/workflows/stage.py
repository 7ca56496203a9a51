"""This repository with stack files of its own, the workflows run by act, and simulated clouds around them."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from virtci.places import ENGINE
from virtci.rehearsal.azure.server import serve as serve_azure
from virtci.rehearsal.engine import credentials, locations
from virtci.rehearsal.journal import FaultPlan
from virtci.rehearsal.pipeline.act import Origin, Rehearsal, Repository, WorkflowRun
from virtci.rehearsal.pipeline.checkout import checkout_of_this_project
from virtci.rehearsal.world import World, azure_scenario, read_stacks, world

STACKS = ("hub", "dev", "test")
SLUG = "fleet-org/virt-ci"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
IDS = "12345678-1234-4234-8234-"
REAL = (("00000000-0000-0000-0000-", IDS), ("rehearsal", "fleet"), (r"\b[0-9a-f]{64}\b", "a" * 64))
"""What turns the placeholders of the committed stack files into values that a deployment takes."""
SET_UP = """\
name: set up
description: The packages and the engine are there already.
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        echo "$PWD/.venv/bin" >> "$GITHUB_PATH"
        echo "$PWD/.engine/bin" >> "$GITHUB_PATH"
        echo "PYTHONPATH=$PWD" >> "$GITHUB_ENV"
"""
Edit = Callable[[dict[str, Any]], None]


@dataclass
class Stage:
    """The repository as it is pushed, the clouds, and GitHub as a person sees it."""

    folder: Path
    source: Path
    world: World
    environment: Mapping[str, str]
    github: httpx.Client
    runs: list[Rehearsal] = field(default_factory=list)

    def edit(self, stack: str, change: Edit) -> None:
        """Changes the configuration of a stack as a commit would."""
        edit(self.source, stack, change)

    def edit_policies(self, stack: str, change: Edit) -> None:
        """Changes the configuration of a stack's policies as a commit would."""
        path = self.source / "policies" / "config" / f"{stack}.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def push(self) -> WorkflowRun:
        """A push to the main branch."""
        return self._run("deploy.yaml", "push", {"ref": "refs/heads/main"})

    def pull_request(self, number: int, head: str = SLUG) -> WorkflowRun:
        """A push to a pull request from the repository `head`."""
        payload = {
            "action": "synchronize",
            "number": number,
            "pull_request": {"number": number, "head": {"sha": COMMIT, "repo": {"full_name": head}}},
        }
        return self._run("preview.yaml", "pull_request", payload, f"refs/pull/{number}/merge")

    def check_for_drift(self) -> WorkflowRun:
        """The scheduled check."""
        return self._run("drift.yaml", "schedule", {"schedule": "17 4 * * *"})

    def artifacts(self) -> Path:
        """What the last run kept."""
        return self.runs[-1].folder / "artifacts"

    def actions(self) -> list[str]:
        """Which actions of others the last run used."""
        return [call["action"] for call in self.runs[-1].calls()]

    def comments(self, number: int) -> list[str]:
        """What is written on a pull request."""
        return [item["body"] for item in self.github.get(f"/repos/{SLUG}/issues/{number}/comments").json()]

    def issues(self, label: str) -> list[dict[str, Any]]:
        """The issues with a label, open and closed."""
        found = self.github.get(f"/repos/{SLUG}/issues", params={"labels": label, "state": "all"}).json()
        return list(found)

    def _run(self, file: str, event: str, payload: Mapping[str, Any], ref: str = "refs/heads/main") -> WorkflowRun:
        number = len(self.runs) + 1
        origin = Origin(
            repository=SLUG,
            event=event,
            payload={"repository": {"full_name": SLUG, "default_branch": "main"}, **payload},
            ref=ref,
            variables=variables(self.environment),
            secrets={"DEPLOY_APP_PRIVATE_KEY": "rehearsal-key", "READER_APP_PRIVATE_KEY": "rehearsal-key"},
            run_id=number,
        )
        repositories = {SLUG: Repository(folder=self.source, commit=COMMIT)}
        self.runs.append(Rehearsal(self.folder / f"run-{number}", origin, repositories, self.environment))
        return self.runs[-1].run(file)


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the repository, as docs/pipelines.md lists them."""
    return {
        "PREVIEW_CLIENT_ID": f"{IDS}0000000000e1",
        "DEPLOY_CLIENT_ID": f"{IDS}0000000000e2",
        "AZURE_TENANT_ID": f"{IDS}0000000000b1",
        "AZURE_SUBSCRIPTION_ID": f"{IDS}0000000000a1",
        "PULUMI_BACKEND_URL": environment["PULUMI_BACKEND_URL"],
        "FLEET_REPOSITORIES": "virt-ci,kubevirt",
        "DEPLOY_APP_CLIENT_ID": "Iv1.deployer",
        "READER_APP_CLIENT_ID": "Iv1.reader",
    }


@contextmanager
def stage(folder: Path, edits: Mapping[str, Edit]) -> Iterator[Stage]:
    """The stage before the first deployment: stacks exist, their files are sealed, their clouds are empty."""
    source = committed(folder / "source", edits)
    settings = read_stacks(STACKS, source)
    with (
        world(settings, FaultPlan(), azure_scenario(settings)) as simulated,
        serve_azure(simulated.azure) as azure,
        httpx.Client(
            base_url=simulated.github_url, headers={"Authorization": "Bearer rehearsal"}, trust_env=False
        ) as github,
    ):
        clouds = folder / "clouds.json"
        clouds.write_text(json.dumps({"resourceManager": azure.url}))
        environment = {
            **credentials(),
            **locations(folder),
            **simulated.servers.environment,
            "GITHUB_API_URL": simulated.github_url,
            "VIRTCI_CLOUDS": str(clouds),
        }
        for name in ("state", "home"):
            (folder / name).mkdir()
        for stack in STACKS:
            command = [str(ENGINE / "bin" / "pulumi"), "stack", "init", stack]
            subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
        yield Stage(folder, source, simulated, environment, github)


def committed(folder: Path, edits: Mapping[str, Edit]) -> Path:
    """A checkout with values of its own in its stack files; its set-up finds everything there already."""
    folder.mkdir(parents=True)
    checkout_of_this_project(folder)
    for stack in STACKS:
        path = folder / f"Pulumi.{stack}.yaml"
        text = path.read_text()
        for placeholder, real in REAL:
            text = re.sub(placeholder, real, text)
        path.write_text(text)
        if stack in edits:
            edit(folder, stack, edits[stack])
    (folder / ".github" / "actions" / "setup").mkdir(exist_ok=True)
    (folder / ".github" / "actions" / "setup" / "action.yaml").write_text(SET_UP)
    set_up = folder / "tools" / "engine" / "setup.py"
    set_up.write_text(set_up.read_text().replace("def main() -> int:\n", "def main() -> int:\n    return 0\n"))
    return folder


def edit(folder: Path, stack: str, change: Edit) -> None:
    """Changes the configuration of a stack; what the engine has put beside it stays."""
    path = folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(path.read_text())
    change(content["config"])
    path.write_text(yaml.safe_dump(content))


def small_hub(config: dict[str, Any]) -> None:
    """One runner: enough here, and quicker."""
    config["virt-ci:hub"]["runners"]["names"] = ["kubevirt-gh-actions-runner-1"]


def small_test(config: dict[str, Any]) -> None:
    """One of the three environments."""
    environments = config["virt-ci:environments"]
    for name in [name for name in environments if name != "test-emulation"]:
        del environments[name]


def rehearse_only(source: Path, command: str) -> None:
    """Lets `make rehearse` do something shorter."""
    makefile = source / "Makefile"
    recipe = re.compile(r"^(rehearse:.*\n)(?:\t.*\n)+", re.MULTILINE)
    makefile.write_text(recipe.sub(lambda match: f"{match[1]}\t@{command}\n", makefile.read_text()))


def unattended(
    folder: Path, source: Path, file: str, head: str = SLUG, *, set_up: bool = True
) -> tuple[Rehearsal, WorkflowRun]:
    """A run on a machine with nothing around it: no clouds, no logins, no state."""
    payload = {
        "repository": {"full_name": SLUG, "default_branch": "main"},
        "pull_request": {"number": 1, "head": {"sha": COMMIT, "repo": {"full_name": head}}},
    }
    nowhere = {"PULUMI_BACKEND_URL": "azblob://state"}
    event = {"preview.yaml": "pull_request", "deploy.yaml": "push", "drift.yaml": "schedule"}[file]
    given = variables(nowhere) if set_up else {}
    origin = Origin(repository=SLUG, event=event, payload=payload, variables=given)
    rehearsal = Rehearsal(folder / file, origin, {SLUG: Repository(folder=source, commit=COMMIT)}, {})
    return rehearsal, rehearsal.run(file)
