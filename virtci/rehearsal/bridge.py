"""Pulumi's provider protocol on one side, a simulated cloud in plain Python values on the other.

The engine attaches to these servers (`PULUMI_DEBUG_PROVIDERS`), so one process can hold all clouds of a
rehearsal. Unknown values arrive as the protocol's sentinel string; `is_unknown` recognises them.
"""

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.journal import CloudError

Values = dict[str, Any]
THREADS = 32


class HalfMadeError(Exception):
    """A create or update that failed after the service had already made the resource."""

    def __init__(self, resource_id: str, outputs: Values, reason: str) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.outputs = outputs


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that the provider refuses before it calls the cloud."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between old and new inputs, at a property path such as `osProfile.customData`."""

    path: str
    kind: str


class Provider(Protocol):
    """What a simulated provider does for each resource type, in plain values.

    `kind` is the type token, for example `azure-native:compute:VirtualMachine`. Refusals of the cloud are
    raised as `CloudError`. Arguments go by position, so that a provider may name those that it does not need `_kind`.
    """

    package: str
    delete_before_replace: bool
    """Whether a replacement deletes first, because the new resource bears the name of the old one."""

    def configure(self, variables: Mapping[str, str], /) -> None:
        """Takes the provider's own configuration."""

    def check(self, kind: str, inputs: Values, /) -> list[Failure]:
        """Refuses inputs before anything is called."""

    def settable(self, kind: str, outputs: Values, /) -> Values:
        """The part of the outputs that can be set: what a refresh may write into the inputs."""

    def replaces(self, kind: str, change: Change, /) -> bool:
        """Whether a change can only be made by replacing the resource."""

    def preview(self, kind: str, inputs: Values, state: Values | None, /) -> Values:
        """The outputs as far as they are known before the operation: new when `state` is absent."""

    def create(self, kind: str, inputs: Values, /) -> tuple[str, Values]:
        """Creates and returns the id and the outputs."""

    def read(self, kind: str, resource_id: str, inputs: Values, state: Values, /) -> Values | None:
        """The outputs of a live resource, or nothing when it is gone."""

    def update(self, kind: str, resource_id: str, inputs: Values, state: Values, /) -> Values:
        """Updates and returns the outputs."""

    def delete(self, kind: str, resource_id: str, state: Values, /) -> None:
        """Deletes; a resource that is gone already is a success."""

    def invoke(self, token: str, arguments: Values, /) -> Values:
        """Answers a function; an unknown token is a `CloudError`."""


def is_unknown(value: object) -> bool:
    """Whether a value is not known before the deployment."""
    return value == UNKNOWN


def has_unknown(value: object) -> bool:
    """Whether a value is or contains one that is not known before the deployment."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return is_unknown(value)


def changes(old: object, new: object, path: str = "") -> Iterator[Change]:
    """Every difference between two values; an unknown new value differs from every old one."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield Change(below, "delete")
            elif key not in old:
                yield Change(below, "add")
            else:
                yield from changes(old[key], new[key], below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from changes(before, after, f"{path}[{index}]")
    elif old != new:
        yield Change(path, "update")


def refresh(inputs: Values, state: Values, live: Values) -> Values:
    """The inputs that would give the live resource: what changed behind the program's back is written into them.

    `state` and `live` are the parts of the old and new outputs that can be set. What is as it was says nothing about
    inputs: much of it is a default of the service. What the service never gives back (a secret's value) stays.
    """
    found = dict(inputs)
    for key, value in live.items():
        before, given = state.get(key), inputs.get(key)
        if value == before:
            continue
        found[key] = value
        if isinstance(value, dict) and isinstance(before, dict) and isinstance(given, dict):
            gone = before.keys() - value.keys()
            nested = refresh(given, before, value)
            found[key] = {name: item for name, item in nested.items() if name not in gone}
    return found


def to_values(message: struct_pb2.Struct) -> Values:
    """A protocol message as plain values; whole numbers become integers."""
    return {key: _whole(value) for key, value in MessageToDict(message).items()}


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain values as a protocol message; absent values are left out."""
    return ParseDict(_without_none(values), struct_pb2.Struct())


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


class ProviderServer(provider_pb2_grpc.ResourceProviderServicer):
    """Speaks the engine's protocol for one provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:
        """The engine attaches to the running server."""
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        """The engine keeps track of secrets itself, so values arrive here in the clear, as in a real provider."""
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        """The version of the SDK that the program uses; the engine warns about any other."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version(f"pulumi-{self.provider.package}"))

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        """The provider's configuration is taken as it is."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """A changed configuration is an update of the provider, never a replacement of its resources."""
        same = to_values(request.old_inputs) == to_values(request.news)
        kinds = provider_pb2.DiffResponse.DiffChanges
        return provider_pb2.DiffResponse(changes=kinds.DIFF_NONE if same else kinds.DIFF_SOME)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        """Hands the configuration on."""
        self.provider.configure({key.split(":")[-1]: value for key, value in request.variables.items()})
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        """Inputs are refused here, in previews as well."""
        with _refusals(context):
            failures = self.provider.check(request.type, to_values(request.news))
            return provider_pb2.CheckResponse(
                inputs=request.news,
                failures=[provider_pb2.CheckFailure(property=item.property, reason=item.reason) for item in failures],
            )

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """Compares inputs with inputs, as the real providers of generated SDKs do."""
        old, new = to_values(request.old_inputs), to_values(request.news)
        ignored = tuple(request.ignoreChanges)
        found = [change for change in changes(old, new) if not _is_below(change.path, ignored)]
        replacing = {change.path for change in found if self.provider.replaces(request.type, change)}
        kinds = provider_pb2.DiffResponse.DiffChanges
        return provider_pb2.DiffResponse(
            deleteBeforeReplace=bool(replacing) and self.provider.delete_before_replace,
            changes=kinds.DIFF_SOME if found else kinds.DIFF_NONE,
            diffs=sorted({_top(change.path) for change in found}),
            replaces=sorted({_top(path) for path in replacing}),
            detailedDiff={
                change.path: provider_pb2.PropertyDiff(
                    kind=_diff_kind(change, change.path in replacing), inputDiff=True
                )
                for change in found
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        """Creates, or in a preview says what is known of the result."""
        inputs = to_values(request.properties)
        with _refusals(context):
            if request.preview:
                return provider_pb2.CreateResponse(
                    properties=to_struct(self.provider.preview(request.type, inputs, None))
                )
            resource_id, outputs = self.provider.create(request.type, inputs)
            return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(outputs))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        """Updates, or in a preview says what is known of the result."""
        inputs, state = to_values(request.news), to_values(request.olds)
        with _refusals(context):
            if request.preview:
                outputs = self.provider.preview(request.type, inputs, state)
            else:
                outputs = self.provider.update(request.type, request.id, inputs, state)
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        """Reads the live resource for a refresh."""
        inputs, state = to_values(request.inputs), to_values(request.properties)
        with _refusals(context):
            outputs = self.provider.read(request.type, request.id, inputs, state)
            if outputs is None:
                return provider_pb2.ReadResponse(id="")
            before, live = (self.provider.settable(request.type, values) for values in (state, outputs))
            refreshed = refresh(inputs, before, live)
            return provider_pb2.ReadResponse(id=request.id, properties=to_struct(outputs), inputs=to_struct(refreshed))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Deletes the live resource."""
        with _refusals(context):
            self.provider.delete(request.type, request.id, to_values(request.properties))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        """Answers a function; `return` is a keyword, so the message is filled by name."""
        with _refusals(context):
            answer = self.provider.invoke(request.tok, to_values(request.args))
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(to_struct(answer))
            return response

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Simulated operations end at once, so nothing is left to cancel."""
        return empty_pb2.Empty()


def _diff_kind(change: Change, replaces: bool) -> provider_pb2.PropertyDiff.Kind.ValueType:
    name = f"{change.kind.upper()}_REPLACE" if replaces else change.kind.upper()
    return provider_pb2.PropertyDiff.Kind.Value(name)


def _top(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def _is_below(path: str, ignored: Sequence[str]) -> bool:
    return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in ignored)


@contextmanager
def _refusals(context: grpc.ServicerContext) -> Iterator[None]:
    """Turns a refusal of the cloud into the protocol's error, and a half-made resource into its special form."""
    try:
        yield
    except CloudError as error:
        text = f'Status={error.status} Code="{error.code}" Message="{error.message}"'
        context.abort(grpc.StatusCode.UNKNOWN, text)
    except HalfMadeError as error:
        context.abort_with_status(_half_made(error))


@dataclass(frozen=True)
class _Status(grpc.Status):
    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...] = field(default=())


def _half_made(error: HalfMadeError) -> grpc.Status:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id, properties=to_struct(error.outputs), reasons=[str(error)]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    return _Status(grpc.StatusCode.UNKNOWN, str(error), (("grpc-status-details-bin", status.SerializeToString()),))


@dataclass
class Servers:
    """The running provider servers of a rehearsal; a context manager that stops them.

    `own`: the providers that one stack alone is attached to, by stack.
    """

    providers: Sequence[Provider]
    own: Mapping[str, Provider] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    own_ports: dict[str, int] = field(default_factory=dict)
    _running: list[grpc.Server] = field(default_factory=list)

    def __enter__(self) -> "Servers":
        for provider in self.providers:
            self.ports[provider.package] = self._serve(provider)
        for stack, provider in self.own.items():
            self.own_ports[stack] = self._serve(provider)
        return self

    def _serve(self, provider: Provider) -> int:
        server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix=provider.package))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(ProviderServer(provider), server)
        port: int = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._running.append(server)
        return port

    def __exit__(self, *_: object) -> None:
        for server in self._running:
            server.stop(grace=None)

    @property
    def environment(self) -> dict[str, str]:
        """How the engine is told to attach instead of starting real providers."""
        return attachment(self.ports)

    @property
    def own_environments(self) -> dict[str, dict[str, str]]:
        """The same for each stack that has a provider of its own."""
        return {
            stack: attachment({**self.ports, self.own[stack].package: port}) for stack, port in self.own_ports.items()
        }


def attachment(ports: Mapping[str, int]) -> dict[str, str]:
    """The environment in which the engine attaches to the providers at these ports."""
    return {"PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package, port in ports.items())}
