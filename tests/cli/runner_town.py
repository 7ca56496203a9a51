"""A town of simulated clouds in which a person or a workflow runs `virtci runners …`."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.runners.lives import NAME, calm
from virtci.cli.main import main
from virtci.fleet.runners.build import Desk
from virtci.fleet.runners.launcher import Observe
from virtci.fleet.runners.ports import Limits
from virtci.outputs.contract import Outputs
from virtci.rehearsal.runners.hosting import Job
from virtci.rehearsal.runners.town import Town
from virtci.settings.models import Settings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + "B"
RUN = {
    "GITHUB_REPOSITORY": "rehearsal-org/km",
    "GITHUB_WORKFLOW": "KM CI Pipeline",
    "GITHUB_RUN_NUMBER": "1279",
    "GITHUB_RUN_ID": "991",
    "GITHUB_RUN_ATTEMPT": "1",
}
OUTPUTS = {
    "contractVersion": 1,
    "stack": "kontain",
    "region": "westus",
    "runners": {
        "repository": "rehearsal-org/km",
        "image": "L0BaseImage",
        "agent": {"version": "2.336.0", "sha256": "0" * 64},
        "keys": "cloud/azure/ssh",
        "serves": "run",
        "retentionDays": 7,
        "maximumHours": 6,
        "dailyBudgetUsd": 60,
    },
}


@dataclass
class Caller:
    """Who runs commands in a town; each command is a process of its stage."""

    world: Town
    folder: Path

    @property
    def keys(self) -> Path:
        """The folder of public keys."""
        return self.folder / "keys"

    @property
    def summary(self) -> str:
        """What the summary of the job says."""
        file = self.folder / "summary.md"
        return file.read_text() if file.exists() else ""

    def run(self, verb: str, *options: str) -> int:
        """The exit code of a command."""
        fixed = ["--outputs", str(self.folder / "kontain.json")]
        fixed += ["--keys", str(self.keys)] if verb in ("start", "sweep") else []
        process = self.world.stage.spawn("command", lambda: main(["runners", verb, *options, *fixed]))
        self.world.stage.run(self.world.stage.now + timedelta(hours=2))
        assert process.ended
        if process.error:
            raise process.error
        return int(process.result)

    def labels(self) -> dict[str, str]:
        """The step output `run-ons`."""
        lines = (self.folder / "output").read_text().splitlines()
        found: dict[str, str] = json.loads(lines[-1].removeprefix("run-ons="))
        return found

    def ends(self) -> None:
        """The workflow run is over, some time ago."""
        self.world.github.runs[NAME] = self.world.stage.now


def caller(folder: Path, monkeypatch: pytest.MonkeyPatch, **weather: Any) -> Caller:
    """Somebody in a town in which only that goes wrong which a test names."""
    found = Caller(calm(**weather), folder)
    found.keys.mkdir()
    (found.keys / "ada.pub").write_text(f"{KEY} ada@example\n")
    (folder / "kontain.json").write_text(json.dumps(OUTPUTS))
    for name, value in RUN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_OUTPUT", str(folder / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    monkeypatch.setenv("VIRTCI_CLOUDS", str(folder / "clouds.json"))

    def desk(_: Outputs, __: Settings, keys: tuple[str, ...], observe: Observe, limits: Limits | None = None) -> Desk:
        launcher = found.world.launcher()
        rules = replace(launcher.rules, keys=keys)
        changed = replace(launcher, rules=rules, observe=observe, limits=limits or launcher.limits)
        return Desk(launcher=changed, together=found.world.stage.together)

    monkeypatch.setattr("virtci.fleet.runners.build.desk", desk)
    return found


def works(somebody: Caller, cloud: str, *, fails: bool) -> None:
    """A job asks for the runner of a cloud."""
    label = somebody.labels()[cloud]
    somebody.world.github.queue(Job("rehearsal-org/km/991/1", label, 600, fails, somebody.world.stage.now))


def needs(monkeypatch: pytest.MonkeyPatch, **results: str) -> None:
    """What GitHub tells a job of the jobs before it."""
    monkeypatch.setenv("NEEDS", json.dumps({job.replace("_", "-"): {"result": said} for job, said in results.items()}))
