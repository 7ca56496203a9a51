"""Records what a program registers, under Pulumi's own mocks: inputs, options, parents and secrets."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS

SECRET = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
PROJECT = "virt-ci"


@dataclass(frozen=True)
class Registration:
    """One registered resource."""

    kind: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    protect: bool
    depends_on: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    delete_before_replace: bool
    aliases: int
    provider: str

    def plain(self) -> dict[str, Any]:
        """The inputs with secrets opened."""
        opened: dict[str, Any] = plain(self.inputs)
        return opened

    def is_secret(self, path: str) -> bool:
        """Whether the input at a dotted path is, or lies inside, a secret."""
        value: Any = self.inputs
        for part in path.split("."):
            if isinstance(value, dict) and SECRET in value:
                return True
            value = value[int(part)] if isinstance(value, list) else value[part]
        return isinstance(value, dict) and SECRET in value


def secret(value: Any) -> dict[str, Any]:
    """A value as the engine hands it out when it is a secret."""
    return {SECRET: SECRET_SIGNATURE, "value": value}


def plain(value: Any) -> Any:
    """A value with secrets opened."""
    if isinstance(value, dict):
        if SECRET in value:
            return plain(value["value"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


Outputs = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers registrations with plausible outputs and keeps them; an unknown function raises."""

    outputs: Outputs = lambda *_: {}
    functions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    registrations: list[Registration] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The id and outputs of a resource: its inputs and what the outputs function adds."""
        inputs = dict(args.inputs)
        identity = inputs.get("identity")
        if isinstance(identity, dict):
            # Azure takes a list of identities and answers with a map; the SDK's types insist on it.
            ids = plain(identity).get("userAssignedIdentities", [])
            inputs["identity"] = {**identity, "userAssignedIdentities": {id_: {} for id_ in ids}}
        return f"/ids/{args.name}", {**inputs, **self.outputs(args.typ, args.name, plain(inputs))}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Answers a function that the test declared; any other is a mistake of the program."""
        if args.token not in self.functions:
            message = f"unexpected function {args.token}"
            raise AssertionError(message)
        return self.functions[args.token](dict(args.args)), []

    def one(self, kind: str, name: str | None = None) -> Registration:
        """The single registration of a type (and logical name)."""
        found = self.all(kind, name)
        assert len(found) == 1, f"{len(found)} registrations of {kind} {name or ''}: {[item.name for item in found]}"
        return found[0]

    def all(self, kind: str, name: str | None = None) -> list[Registration]:
        """All registrations of a type, by name."""
        found = [item for item in self.registrations if item.kind == kind and name in (None, item.name)]
        return sorted(found, key=lambda item: item.name)


class RecordingMonitor(mocks.MockMonitor):
    """Keeps the request of every registration: mocks themselves see no options."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder

    def RegisterResource(self, request: Any) -> resource_pb2.RegisterResourceResponse:
        """Records and answers."""
        registration = Registration(
            kind=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            inputs=MessageToDict(request.object),
            protect=request.protect,
            depends_on=tuple(request.dependencies),
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            delete_before_replace=request.deleteBeforeReplace,
            aliases=len(request.aliases) + len(request.aliasURNs),
            provider=request.provider,
        )
        with self.recorder.lock:
            self.recorder.registrations.append(registration)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call,no-any-return]  # the SDK's mocks are untyped

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Records the outputs of the stack."""
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recorder.exports.update(MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]  # the SDK's mocks are untyped


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Leaves nothing of a program behind, also of one that failed half-way: the next test has another loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    loop.close()
    asyncio.set_event_loop(None)


def record(
    build: Callable[[], None],
    recorder: Recorder,
    stack: str = "dev",
    preview: bool = False,
) -> Recorder:
    """Runs a program under the recorder, to its very end, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor = RecordingMonitor(recorder)
    pulumi.runtime.set_mocks(recorder, project=PROJECT, stack=stack, preview=preview, monitor=monitor)
    try:
        # Mocks come with a root of their own; the program gets a real one, whose outputs are registered.
        pulumi.runtime.settings.set_root_resource(None)  # type: ignore[arg-type]  # typed as if a root were never taken away
        loop.run_until_complete(pulumi.runtime.run_in_stack(build))
    finally:
        finish(loop)
    return recorder
