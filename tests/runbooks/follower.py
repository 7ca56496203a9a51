"""Follows a runbook in a rehearsal: real engine, real Kubernetes, simulated Azure; what it says is what is run."""

import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.fleet.conftest import prepare
from tests.fleet.simulated_fleet import OWNER, VAULT, SimulatedFleet, own_secrets
from tests.rehearsal.azure.simulated import Cloud
from tests.rehearsal.stage import Edit, Stage, stage
from tests.runbooks.reader import RUNBOOKS, Command, commands
from virtci.cli.main import main
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.places import ENGINE
from virtci.rehearsal.azure.provider import AzureNative
from virtci.rehearsal.azure.secrets import Vault, serve_secrets
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.kubernetes.server import Cluster
from virtci.rehearsal.programs import path_of

MACHINE = "kubevirt-dev-mshv-qemu-k3s-vm"
Environment = Mapping[str, str]


@dataclass
class Done:
    """A command that was run."""

    text: str
    exit_code: int
    output: str


@dataclass
class Follower:
    """Somebody with the runbook in hand, at a shell in the folder of the project."""

    runbook: str
    stage: Stage
    fleet: SimulatedFleet
    stacks: tuple[str, ...]
    exported: dict[str, str]
    done: list[Done] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.stage.workspace.project

    def follow(self, place: str) -> list[Done]:
        """Runs what stands in a step or section; each command ends as the runbook says."""
        found = commands(RUNBOOKS / f"{self.runbook}.md")
        return [self.run(command) for command in found[place]]

    def run(self, command: Command) -> Done:
        program, *arguments = command.words
        exit_code, output = PROGRAMS[program](self, arguments)
        assert exit_code == command.exit_code, f"{command.text}\n{output}"
        self.done.append(Done(command.text, exit_code, output))
        return self.done[-1]

    def status(self, environment: str = "dev") -> dict[str, str]:
        """What `virtci status` shows, by fact: `level: text`."""
        code, output = self.virtci(["status", environment, "--json"])
        assert code in (0, 1, 2), output
        facts = json.loads(output[output.index("{") : output.rindex("}") + 1])["environments"][0]["facts"]
        return {fact["name"]: f"{fact['level']}: {fact['text']}" for fact in facts}

    def export(self, arguments: list[str]) -> tuple[int, str]:
        for assignment in arguments:
            name, _, value = assignment.partition("=")
            self.exported[name] = value.replace("$PWD", str(self.project))
        return 0, ""

    def virtci(self, arguments: list[str]) -> tuple[int, str]:
        output = io.StringIO()
        with patch.dict(os.environ, self.environment(arguments)), redirect_stdout(output), redirect_stderr(output):
            code = main(arguments)
        return code, output.getvalue()

    def pulumi(self, arguments: list[str]) -> tuple[int, str]:
        return self._process(str(ENGINE / "bin" / "pulumi"), [*arguments, "--non-interactive", "--color", "never"])

    def kubectl(self, arguments: list[str]) -> tuple[int, str]:
        return self._process(str(path_of("kubectl")), arguments)

    def az(self, arguments: list[str]) -> tuple[int, str]:
        """The one command of Azure's own tool that runbooks need, as the tool would do it."""
        assert arguments[:3] == ["aks", "nodepool", "upgrade"], arguments
        given = dict(zip(arguments[3::2], arguments[4::2], strict=True))
        names = (given.pop("--resource-group"), given.pop("--cluster-name"), given.pop("--name"))
        pools = self.fleet.clouds.clusters.agent_pools
        pool = pools.get(*names)
        pool.orchestrator_version = given.pop("--kubernetes-version")
        assert not given, given
        pools.begin_create_or_update(*names, pool).result()
        return 0, ""

    def environment(self, arguments: list[str]) -> dict[str, str]:
        """That of the workspace, of the stack that a command names, and what was exported."""
        named = [word for word in self.stacks if word in arguments]
        own = self.stage.workspace.own.get(named[-1], {}) if named else {}
        return {**self.stage.workspace.environment, **own, **self.exported}

    def _process(self, program: str, arguments: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            [program, *arguments],
            cwd=self.project,
            env={**os.environ, **self.environment(arguments)},
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr


PROGRAMS: dict[str, Callable[[Follower, list[str]], tuple[int, str]]] = {
    "export": Follower.export,
    "virtci": Follower.virtci,
    "pulumi": Follower.pulumi,
    "kubectl": Follower.kubectl,
    "az": Follower.az,
}


@contextmanager
def following(
    runbook: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    stacks: tuple[str, ...] = ("hub", "dev", "dev-kubevirt"),
    deployed: tuple[str, ...] = ("hub", "dev"),
    edits: Mapping[str, Edit] | None = None,
    wanted: Mapping[str, Cluster] | None = None,
    **scenario: object,
) -> Iterator[Follower]:
    """A fleet that was deployed, with the machine of `dev` booted and its kubeconfig in the vault."""
    with ExitStack() as running:
        on = running.enter_context(stage(folder, stacks, (), {"hub": one_runner, **(edits or {})}, wanted, **scenario))
        for name in deployed:
            on.up(name)
        for name in stacks:
            on.workspace.stack(name)
        fleet = running.enter_context(served(on, folder))
        places = ("virtci.cli.outputs.ROOT", "virtci.cli.rotate.ROOT")
        for place in places:
            monkeypatch.setattr(place, on.workspace.project)
        monkeypatch.setattr("virtci.cli.targets.stacks", lambda: list(stacks))
        monkeypatch.setattr(
            "virtci.cli.readiness.stack_file", lambda name: on.workspace.project / f"Pulumi.{name}.yaml"
        )
        monkeypatch.setattr("virtci.fleet.waiting.sleep", fleet.nap)
        monkeypatch.chdir(on.workspace.project)
        yield Follower(runbook, on, fleet, stacks, {"VIRTCI_CLOUDS": str(folder / "clouds.json")})


@contextmanager
def served(on: Stage, folder: Path) -> Iterator[SimulatedFleet]:
    """The clouds of a stage for the commands of day two; the shell is on a runner, as somebody with rights."""
    cloud = Cloud(on.world.clock, on.world.journal, on.world.azure, AzureNative(on.world.azure))
    outputs = on.workspace.outputs("hub")
    own_secrets(cloud, outputs["vault"]["resourceId"])
    vault = Vault(on.world.azure, VAULT, caller=OWNER, subnet=outputs["network"]["subnetResourceIds"]["runners"])
    with serve(on.world.azure) as azure, serve_secrets(vault, folder) as secrets:
        content: dict[str, Any] = {
            "resourceManager": azure.url,
            "vaults": {VAULT: secrets.url},
            "certificate": str(secrets.certificate),
        }
        (folder / "clouds.json").write_text(json.dumps(content))
        clouds = Clouds(on.world.azure.scenario.subscription, RehearsedClouds.model_validate(content))
        plane = on.world.clusters.get("dev-kubevirt")
        fleet = SimulatedFleet(cloud, clouds, clouds.secrets(VAULT), folder, vault, plane, MACHINE)
        if plane:
            prepare(plane)
            fleet.tell("ready", "boot-1")
            fleet.publish()
        yield fleet


def one_runner(config: dict[str, Any]) -> None:
    """Enough for every runbook, and quicker."""
    config["virt-ci:hub"]["runners"]["names"] = ["kubevirt-gh-actions-runner-1"]
