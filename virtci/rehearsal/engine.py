"""The real engine, driven through Pulumi's Automation API, in a workspace that cannot reach a cloud."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import EngineEvent, LocalWorkspace, OpType, Stack

from virtci.fleet.events import MANDATORY, Verdict
from virtci.places import ENGINE, POLICIES, ROOT, policy_configuration

PROJECT = "virt-ci"
ORGANIZATION = "organization"
PASSPHRASE = "rehearsal"  # noqa: S105  protects nothing: the state it seals is simulated
UNUSABLE = "rehearsal-no-such-credential"


@dataclass
class Run:
    """One engine operation: what it did to which resource, what policies and the engine said."""

    operation: str
    succeeded: bool = False
    steps: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, str]:
        """The resources that are not left as they are, with the operation."""
        return {urn: step for urn, step in self.steps.items() if step not in (OpType.SAME.value, OpType.READ.value)}

    @property
    def mandatory(self) -> list[Verdict]:
        """The verdicts that stop a deployment."""
        return [verdict for verdict in self.verdicts if verdict.level == MANDATORY]

    def take(self, event: EngineEvent) -> None:
        """Notes an event of the engine."""
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            self.steps[metadata.urn] = metadata.op.value
        if event.policy_event:
            found = event.policy_event
            self.verdicts.append(
                Verdict(found.policy_name, found.enforcement_level, found.resource_urn or "", found.message.strip())
            )
        if event.diagnostic_event and event.diagnostic_event.severity == "error":
            self.errors.append(event.diagnostic_event.message.strip())
        if event.summary_event:
            self.policies = dict(event.summary_event.policy_packs or {})


class Workspace:
    """A copy of the project's configuration in a folder of its own, with state, home and secrets beside it.

    The program and the policies are the real ones; only the stack files are copied, because the engine writes its
    encryption salt into them. `own` has what is different in the environment of a stack, by stack.
    """

    def __init__(
        self,
        folder: Path,
        attach: Mapping[str, str],
        stack_files: Path = ROOT,
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder
        self.own = own or {}
        self.project = folder / "project"
        self.environment = {**credentials(), **attach, **locations(folder)}
        for name in ("project", "state", "home"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._write_project()
        for source in stack_files.glob("Pulumi.*.yaml"):
            if not (self.project / source.name).exists():
                shutil.copy(source, self.project / source.name)
        self._stacks: dict[str, Stack] = {}

    def stack(self, name: str) -> Stack:
        """The stack of that name, made when it is not there."""
        if name not in self._stacks:
            workspace = LocalWorkspace(
                work_dir=str(self.project),
                env_vars={**self.environment, **self.own.get(name, {})},
                pulumi_command=automation.PulumiCommand(root=str(ENGINE), skip_version_check=True),
            )
            self._stacks[name] = Stack.create_or_select(name, workspace)
        return self._stacks[name]

    def preview(self, name: str, *, policies: bool = True, on_output: Callable[[str], Any] | None = None) -> Run:
        """Previews, with the policy pack; a policy's refusal is in the run, not raised."""
        packs = self._packs(name) if policies else {}
        return self._run("preview", self.stack(name).preview, on_output, **packs)

    def up(self, name: str, *, on_output: Callable[[str], Any] | None = None) -> Run:
        """Deploys. Preview first: in an update, stack policies speak only after the resources are made."""
        return self._run("up", self.stack(name).up, on_output)

    def destroy(self, name: str, *, on_output: Callable[[str], Any] | None = None) -> Run:
        """Destroys, after lifting the protection of vault and cluster, as an operator would."""
        self.pulumi(name, "state", "unprotect", "--all", "--yes")
        return self._run("destroy", self.stack(name).destroy, on_output)

    def state(self, name: str) -> dict[str, Any]:
        """The deployment with its secrets sealed; the Automation API's own export would open them."""
        return dict(json.loads(self.pulumi(name, "stack", "export"))["deployment"])

    def outputs(self, name: str) -> dict[str, Any]:
        """The stack's outputs, secrets masked."""
        shown = self.pulumi(name, "stack", "output", "--json")
        return dict(json.loads(shown or "{}"))

    def pulumi(self, name: str, *arguments: str) -> str:
        """Runs another command of the engine on a stack."""
        workspace = self.stack(name).workspace
        command = workspace.pulumi_command
        return command.run([*arguments, "--stack", name], str(self.project), workspace.env_vars).stdout

    def _run(
        self, operation: str, method: Callable[..., Any], on_output: Callable[[str], Any] | None, **options: Any
    ) -> Run:
        run = Run(operation)
        try:
            method(on_event=run.take, on_output=on_output, color="never", **options)
            run.succeeded = True
        except automation.CommandError as error:
            if not run.errors and not run.mandatory:
                run.errors.append(own_words(str(error)))
        run.errors = [f"{error}\n{hint}" if (hint := hint_for(error)) else error for error in run.errors]
        return run

    def _packs(self, name: str) -> dict[str, list[str]]:
        return {"policy_packs": [str(POLICIES)], "policy_pack_configs": [str(policy_configuration(name))]}

    def _write_project(self) -> None:
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project["main"] = os.path.relpath(ROOT, self.project)
        project["runtime"]["options"]["virtualenv"] = os.path.relpath(ROOT / ".venv", self.project)
        (self.project / "Pulumi.yaml").write_text(yaml.safe_dump(project))


HINTS = (
    ("incorrect passphrase", "set PULUMI_CONFIG_PASSPHRASE to the stack's own", "wrong-passphrase"),
    ("currently locked by", "if nobody deploys: `pulumi cancel`", "state-lock-left-behind"),
    ("QuotaExceeded", "raise the quota or park what is not needed", "quota-hit"),
    ("exceeding approved", "raise the quota or delete what is not needed", "quota-hit"),
    ("PrincipalNotFound", "run the deployment again in a few minutes", "identity-not-yet-propagated"),
    ("'virt-ci/readiness' does not exist", "measure the nodes: `virtci readiness ENV`", "hypervisor-absent"),
    (
        "asked for the client to provide credentials",
        "`virtci rotate kubeconfig ENV`, then fetch it anew",
        "rotate-keys",
    ),
    ("already exists in deleted state", "recover the vault or choose another name", "vault-name-soft-deleted"),
)
"""What the engine and the clouds say, what to do about it, and the runbook that says more."""


def hint_for(error: str) -> str:
    """The fix of a well-known error, or nothing."""
    for words, fix, runbook in HINTS:
        if words in error:
            return f"fix: {fix}; docs/runbooks/{runbook}.md"
    return ""


def own_words(error: str) -> str:
    """What the engine complained about, without the progress that it printed before."""
    lines = [line.strip() for line in error.splitlines()]
    complaints = [line for line in lines if "error:" in line]
    return "\n".join(dict.fromkeys(line[line.index("error:") :] for line in complaints)) or error


def credentials() -> dict[str, str]:
    """Credentials that no cloud accepts, so that a mistake in the wiring cannot reach one."""
    return {
        "ARM_CLIENT_ID": UNUSABLE,
        "ARM_CLIENT_SECRET": UNUSABLE,
        "ARM_TENANT_ID": UNUSABLE,
        "AZURE_CONFIG_DIR": "/nonexistent",
        "GITHUB_TOKEN": UNUSABLE,
        "AWS_ACCESS_KEY_ID": UNUSABLE,
        "AWS_SECRET_ACCESS_KEY": UNUSABLE,
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "KUBECONFIG": "/nonexistent",
    }


def locations(folder: Path) -> dict[str, str]:
    """Where the engine keeps state, home and programs: nothing outside the rehearsal's folder and `.engine`."""
    return {
        "PATH": f"{ENGINE / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_ERROR_OUTPUT_STRING": "true",
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    }
