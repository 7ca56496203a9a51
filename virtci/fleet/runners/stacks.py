"""The stacks of machines: each is declared by this project's program, judged by its policies, and made by the engine.

Each operation has a folder of its own, so that several go on at once and no stack that a person selected is changed.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import EngineEvent, LocalWorkspace, PulumiCommand, Stack
from pulumi.automation.errors import CommandError, ConcurrentUpdateError, StackAlreadyExistsError, StackNotFoundError

from virtci.core.runners.failures import Code, classified
from virtci.core.runners.naming import STACK
from virtci.core.runners.sweep import SeenStack
from virtci.fleet.events import MANDATORY
from virtci.fleet.runners.launcher import Observe
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.places import ENGINE, POLICIES, ROOT, policy_configuration
from virtci.settings.models import Settings

PROJECT = "virt-ci"
ABANDONED = timedelta(minutes=30)
"""Age of a lock that nobody holds any more: the platform gives a machine up after twenty minutes (OSProvisioningTimedOut)."""
TRIES = 2
"""An engine that broke off for no known reason goes on where it was."""
SHOWN = 600
ENVIRONMENT = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_ERROR_OUTPUT_STRING": "true",
    "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
}
_LOCK = re.compile(r"created by (?P<who>\S+ \(pid \d+\)) at (?P<since>\S+)")


@dataclass(slots=True)
class _Said:
    """What the engine and the policies complained about in one operation."""

    errors: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)

    def take(self, event: EngineEvent) -> None:
        """Notes an event of the engine."""
        if (found := event.policy_event) and found.enforcement_level == MANDATORY:
            self.verdicts.append(f"{found.policy_name}: {found.message.strip()}")
        if (told := event.diagnostic_event) and told.severity == "error":
            self.errors.append(told.message.strip())


class _Workspace(LocalWorkspace):
    """A workspace in which nothing is ever selected: every command names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Nothing: what is selected is a person's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStacks:
    """The stacks of machines in Pulumi's backend; see `virtci.fleet.runners.ports.Stacks`.

    Backend and passphrase are those of the environment, in which `environment` is set besides.
    """

    common: Mapping[str, Any]
    """The settings that a machine shares with the stack of the runners (`common_settings`)."""
    observe: Observe
    remove: Callable[[str], None]
    """Deletes what the clouds have of a stack's machine: the engine does not know what it was making when it was killed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets_provider: str = ""
    """Empty: a passphrase."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    abandoned: timedelta = ABANDONED

    def up(self, name: str, runner: Mapping[str, Any]) -> None:
        """Declares one machine (section `runner`). Raises `StartFailed`; what was made before stays in the stack.

        Policies speak in a preview of the same declaration: in an update, some would after the machine is there.
        """
        with self._stack(name, {**self.common, "runner": dict(runner)}) as stack:
            self._init(stack)
            self._insist(name, stack, lambda said: _judge(stack, said))
            self._insist(name, stack, lambda said: stack.up(on_event=said.take, color="never"))

    def destroy(self, name: str) -> None:
        """Takes the machine down and removes the stack; nothing happens where there is none. Raises `StartFailed`."""
        with self._stack(name, self.common) as stack:
            try:
                unfinished = self._deployment(stack).get("pending_operations")
            except StackNotFoundError:
                self.remove(name)
                return
            if unfinished:
                self.observe(name, "a launcher was killed while it made the machine; what is there of it goes first")
                self.remove(name)
            self._insist(name, stack, lambda said: stack.destroy(on_event=said.take, color="never"))
            self._insist(name, stack, lambda _: _remove(stack))

    def all(self) -> list[SeenStack]:
        """All stacks of runs."""
        with self._workspace() as workspace:
            try:
                listed = workspace.list_stacks()
            except CommandError as error:
                raise Unanswered(
                    Code.INTERNAL, f"the backend of the stacks does not answer: {_own_words(error)}"
                ) from None
        return [
            SeenStack(name=item.name, updated=item.last_update.replace(tzinfo=UTC) if item.last_update else self.now())
            for item in listed
            if STACK.fullmatch(item.name)
        ]

    @contextmanager
    def _stack(self, name: str, config: Mapping[str, Any]) -> Iterator[Stack]:
        """A stack with its whole configuration, whether it is in the backend or not."""
        with self._workspace() as workspace:
            content: dict[str, Any] = {"config": {f"{PROJECT}:{key}": value for key, value in config.items()}}
            if self.secrets_provider:
                content["secretsprovider"] = self.secrets_provider
            (Path(workspace.work_dir) / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(content))
            yield Stack.select(name, workspace)

    @contextmanager
    def _workspace(self) -> Iterator[_Workspace]:
        """This project in a folder of its own, with the program where it is."""
        with TemporaryDirectory(prefix="virt-ci-run-") as folder:
            project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
            project["main"] = os.path.relpath(ROOT, folder)
            project["runtime"]["options"]["virtualenv"] = os.path.relpath(ROOT / ".venv", folder)
            (Path(folder) / "Pulumi.yaml").write_text(yaml.safe_dump(project))
            yield _Workspace(
                work_dir=folder,
                env_vars={**ENVIRONMENT, **self.environment},
                secrets_provider=self.secrets_provider or None,
                pulumi_command=_command(),
            )

    def _init(self, stack: Stack) -> None:
        """Makes the stack where it is not there."""
        provider = ["--secrets-provider", self.secrets_provider] if self.secrets_provider else []
        try:
            _run(stack, "stack", "init", stack.name, "--no-select", *provider)
        except StackAlreadyExistsError:
            return
        except CommandError as error:
            raise Unanswered(Code.INTERNAL, f"the stack cannot be made: {_own_words(error)}") from None

    def _deployment(self, stack: Stack) -> dict[str, Any]:
        """The state of a stack, its secrets sealed."""
        try:
            return dict(json.loads(_run(stack, "stack", "export"))["deployment"] or {})
        except StackNotFoundError:
            raise
        except CommandError as error:
            raise Unanswered(Code.INTERNAL, f"the state of {stack.name} cannot be read: {_own_words(error)}") from None

    def _insist(self, name: str, stack: Stack, operation: Callable[[_Said], object]) -> None:
        """Carries an operation out; again when a lock was in the way that nobody holds, or for what may be a passing fault."""
        for left in reversed(range(TRIES)):
            said = _Said()
            try:
                operation(said)
            except ConcurrentUpdateError as error:
                self._break_lock(name, stack, str(error))
            except CommandError as error:
                failed = _failure(said, error)
                if not left or said.verdicts or failed.code is not Code.INTERNAL:
                    raise failed from None
                self.observe(name, f"the engine broke off, and is asked again: {failed.said}")
            else:
                return
        raise Unanswered(Code.INTERNAL, f"{name} is locked by another launcher")

    def _break_lock(self, name: str, stack: Stack, said: str) -> None:
        """Cancels what a killed launcher left. Raises `Unanswered` while another one may be at work."""
        for lock in _LOCK.finditer(said):
            if self.now() - datetime.fromisoformat(lock["since"]) < self.abandoned:
                raise Unanswered(Code.INTERNAL, f"{name} is locked by {lock['who']} since {lock['since']}")
        self.observe(name, f"the lock of a launcher that was killed is cancelled; it is older than {self.abandoned}")
        stack.cancel()


def common_settings(settings: Settings) -> dict[str, str]:
    """What every stack of a machine has besides its section `runner`."""
    return {
        "subscription": settings.subscription,
        "tenant": settings.tenant,
        "region": settings.region,
        "owner": settings.owner,
        "system": settings.system,
        "repository": settings.repository,
    }


def _command() -> PulumiCommand:
    """The pinned engine where it was set up, otherwise that of PATH."""
    root = str(ENGINE) if (ENGINE / "bin" / "pulumi").exists() else None
    return automation.PulumiCommand(root=root, skip_version_check=True)


def _run(stack: Stack, *arguments: str) -> str:
    """The output of another command of the engine."""
    workspace = stack.workspace
    named = () if stack.name in arguments else ("--stack", stack.name)
    return workspace.pulumi_command.run([*arguments, *named], workspace.work_dir, workspace.env_vars).stdout


def _judge(stack: Stack, said: _Said) -> None:
    """Previews what is declared, with the policies."""
    limits = str(policy_configuration(stack.name))
    stack.preview(on_event=said.take, color="never", policy_packs=[str(POLICIES)], policy_pack_configs=[limits])


def _remove(stack: Stack) -> None:
    try:
        stack.workspace.remove_stack(stack.name)
    except StackNotFoundError:
        return  # another launcher was quicker


def _failure(said: _Said, error: CommandError) -> StartFailed:
    """Why an operation failed, in the words of policies, platform or engine, in this order."""
    if said.verdicts:
        return StartFailed(Code.INTERNAL, f"the policies refuse it: {'; '.join(said.verdicts)}"[:SHOWN])
    words = "; ".join(dict.fromkeys(said.errors)) or _own_words(error)
    return StartFailed(classified(words), words[:SHOWN])


def _own_words(error: CommandError) -> str:
    """What the engine complained about, without the progress that it printed before."""
    lines = [line.strip() for line in str(error).splitlines()]
    complaints = [line[line.index("error:") :] for line in lines if "error:" in line]
    return "; ".join(dict.fromkeys(complaints))[:SHOWN] or (lines[-1] if lines else type(error).__name__)
