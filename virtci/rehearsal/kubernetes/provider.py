"""The Pulumi provider for Kubernetes of a rehearsal: the real resource types, against a real API server.

Behaviour: pulumi/pulumi-kubernetes 94977969d6 (2026-07-01), provider/pkg/provider and provider/pkg/await. Other than the real
one, it refuses objects without a name (that one invents names, and this project names everything), refuses unknown
fields (that one warns), and creates by server-side apply after a look (that one by a plain create).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from virtci.core.problems import Refusal
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import CONFLICT, NOT_FOUND, ClusterApi, ClusterError, Object, UnknownKindError
from virtci.rehearsal.bridge import Change, Failure, HalfMadeError, Values, has_unknown
from virtci.rehearsal.journal import CloudError, Journal
from virtci.rehearsal.kubernetes.awaiting import PROPAGATION, TIMEOUT, FailedError, annotation, is_finished, shown

T = TypeVar("T")

MANAGER = "pulumi-kubernetes"
PATCH = "Patch"
UNAUTHORIZED, FORBIDDEN = 401, 403
LATER_SECONDS = 10.0
"""How long a create tries again while its namespace or its definition is not there yet."""
TOP_LEVEL = frozenset(
    {
        "apiVersion", "kind", "metadata", "spec", "data", "binaryData", "stringData", "immutable", "type", "rules",
        "aggregationRule", "roleRef", "subjects", "automountServiceAccountToken", "imagePullSecrets", "secrets", "value",
        "globalDefault", "description", "preemptionPolicy", "webhooks", "provisioner", "parameters",
    }
)  # fmt: skip
"""What an object is made of; its status is none of it."""
REPLACING = {
    "ClusterRoleBinding": ("roleRef",),
    "ConfigMap": ("data", "binaryData"),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP",),
}
"""What cannot be changed in place, besides name and namespace, for the kinds that a project like this declares."""


@dataclass
class Kubernetes:
    """Implements `bridge.Provider` for one cluster; `kubeconfig` is what its engine has in KUBECONFIG."""

    kubeconfig: Path
    journal: Journal
    seconds: float = 120.0
    """How long an object may take to be finished, or to be gone."""
    package: str = "kubernetes"
    delete_before_replace: bool = True
    _mutable_config_maps: bool = False
    _api: ClusterApi | None = field(default=None, repr=False)
    _unusable: str = "the provider is not configured"

    def configure(self, variables: Mapping[str, str]) -> None:
        """Reads the kubeconfig anew; one that cannot be used is said when something is to be done with it."""
        self._mutable_config_maps = variables.get("enableConfigMapMutable") == "true"
        try:
            self._api = ClusterApi(kubernetes(self.kubeconfig.read_text()))
        except (OSError, Refusal) as error:
            self._api, self._unusable = None, str(error)

    def check(self, kind: str, inputs: Values) -> list[Failure]:
        """Every object says what it is, as its type token does, and has a name."""
        api_version, plain = identity(kind)
        wanted = {"apiVersion": api_version, "kind": plain}
        failures = [
            Failure(key, f"is {inputs.get(key)!r}; the type {kind} is {value!r}")
            for key, value in wanted.items()
            if inputs.get(key) != value
        ]
        if not (inputs.get("metadata") or {}).get("name"):
            failures.append(Failure("metadata.name", "an object of this project is named by it"))
        return failures

    def settable(self, _kind: str, outputs: Values) -> Values:
        """Outputs have the form of the inputs already; only what is read and not declared has more."""
        return {name: value for name, value in outputs.items() if name in TOP_LEVEL}

    def replaces(self, kind: str, change: Change) -> bool:
        """Follows the real provider's table."""
        plain = identity(kind)[1]
        paths: tuple[str, ...] = ("metadata.name", "metadata.namespace")
        if not is_patch(kind) and not (plain == "ConfigMap" and self._mutable_config_maps):
            paths += REPLACING.get(plain, ())
        return any(change.path == path or change.path.startswith((f"{path}.", f"{path}[")) for path in paths)

    def preview(self, kind: str, inputs: Values, state: Values | None) -> Values:
        """A dry run by the server, where it can judge: everything is known, and the kind and the namespace are there."""
        if self._api is None or has_unknown(inputs) or is_patch(kind):
            return inputs
        try:
            if state is None and self._live(inputs):
                return inputs
            return shaped(self._api.apply(inputs, MANAGER, dry_run=True, force=state is None), inputs)
        except UnknownKindError:
            return inputs
        except ClusterError as error:
            if state is None and (error.status == FORBIDDEN or _lacks_namespace(error)):
                return inputs
            raise refusal(error) from None

    def create(self, kind: str, inputs: Values) -> tuple[str, Values]:
        """Creates, and waits until it is finished."""
        name = resource_id(inputs)

        def make() -> Object:
            if not is_patch(kind) and self._live(inputs):
                raise CloudError(CONFLICT, "AlreadyExists", f"{title(kind)} {name} already exists in the cluster.")
            return self._patiently(lambda: self.api.apply(inputs, MANAGER))

        self._called("create", kind, name, make)
        return name, self._finished(kind, inputs)

    def read(self, kind: str, resource_id: str, inputs: Values, state: Values) -> Values | None:
        """The live object in the form of the inputs; all of it for somebody who only reads it."""
        api_version, plain = identity(kind)
        namespace, _, name = resource_id.rpartition("/")

        def look() -> Object | None:
            try:
                return self.api.get(api_version, plain, namespace, name)
            except UnknownKindError:
                return None

        live = self._called("read", kind, resource_id, look)
        if live is None:
            return None
        live["metadata"].pop("managedFields", None)
        return shaped(live, inputs) if inputs or state else live

    def update(self, kind: str, resource_id: str, inputs: Values, _state: Values) -> Values:
        """Applies, and waits until it is finished; what somebody else manages is a conflict."""
        self._called("update", kind, resource_id, lambda: self.api.apply(inputs, MANAGER))
        return self._finished(kind, inputs)

    def delete(self, kind: str, resource_id: str, state: Values) -> None:
        """Deletes and waits until it is gone; of a patch, only gives up what it managed."""
        manifest = {key: state[key] for key in ("apiVersion", "kind", "metadata")}
        try:
            if is_patch(kind):
                self._called("give up", kind, resource_id, lambda: self._give_up(manifest))
                return
            propagation = annotation(state, PROPAGATION).capitalize() or "Foreground"
            self._called("delete", kind, resource_id, lambda: self.api.delete(manifest, propagation))
            if not self.api.wait(lambda: self._live(manifest) is None, self._patience(state)):
                text = f"{title(kind)} {resource_id} is still there after {self._patience(state):g} s."
                raise CloudError(504, "Timeout", text)
        except UnknownKindError:
            return

    def invoke(self, token: str, _arguments: Values) -> Values:
        """No function of the provider is used."""
        raise CloudError(NOT_FOUND, "UnknownFunction", f"The rehearsal does not know the function {token}.")

    @property
    def api(self) -> ClusterApi:
        """The cluster. Raises `CloudError` where the kubeconfig cannot be used."""
        if self._api is None:
            raise CloudError(0, "Unreachable", f"configured Kubernetes cluster is unreachable: {self._unusable}")
        return self._api

    def _live(self, manifest: Mapping[str, Any]) -> Object | None:
        metadata = manifest["metadata"]
        try:
            return self.api.get(
                manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"]
            )
        except UnknownKindError:
            return None

    def _called(self, operation: str, kind: str, name: str, call: Callable[[], T]) -> T:
        """The result of a call, which is in the journal whatever comes of it."""
        target = f"{title(kind)} {name}"
        self.journal.fault(self.package, operation, target)
        try:
            result = call()
        except UnknownKindError as error:
            self.journal.record(self.package, operation, target, error.status, error.reason)
            if operation in ("delete", "give up"):
                raise
            raise refusal(error) from None
        except ClusterError as error:
            self.journal.record(self.package, operation, target, error.status, error.reason)
            raise refusal(error) from None
        self.journal.record(self.package, operation, target, 200)
        return result

    def _patiently(self, make: Callable[[], Object]) -> Object:
        deadline = time.monotonic() + LATER_SECONDS
        while True:
            try:
                return make()
            except ClusterError as error:
                if error.status != NOT_FOUND or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _finished(self, kind: str, inputs: Values) -> Values:
        """The outputs, once the object is finished. Raises `HalfMadeError` when it does not get there."""
        name, seen = resource_id(inputs), dict(inputs)

        def look() -> bool:
            live = self._live(inputs)
            if live is None:
                raise FailedError("it is gone")
            seen.update(live)
            return is_patch(kind) or is_finished(self.api, live)

        try:
            done = self.api.wait(look, self._patience(inputs))
        except FailedError as error:
            raise HalfMadeError(name, shaped(seen, inputs), f"{title(kind)} {name} failed: {error}") from None
        except ClusterError as error:
            raise refusal(error) from None
        if not done:
            reason = f"{title(kind)} {name} was not ready after {self._patience(inputs):g} s: {shown(seen)}"
            raise HalfMadeError(name, shaped(seen, inputs), reason)
        return shaped(seen, inputs)

    def _patience(self, manifest: Mapping[str, Any]) -> float:
        return float(annotation(manifest, TIMEOUT) or self.seconds)

    def _give_up(self, manifest: Mapping[str, Any]) -> None:
        """Applies nothing under the same name: the server then takes away what only this name managed."""
        if self._live(manifest) is not None:
            metadata = {key: value for key, value in manifest["metadata"].items() if key in ("name", "namespace")}
            self.api.apply({**manifest, "metadata": metadata}, MANAGER)


def identity(kind: str) -> tuple[str, str]:
    """API version and kind of a type token; that of a patch is of what it patches."""
    _, group_version, name = kind.split(":")
    return group_version.removeprefix("core/"), name.removesuffix(PATCH)


def is_patch(kind: str) -> bool:
    """Whether a type stands for some fields of an object only."""
    return kind.endswith(PATCH)


def title(kind: str) -> str:
    """A type as people name it."""
    return kind.rsplit(":", 1)[-1]


def resource_id(manifest: Mapping[str, Any]) -> str:
    """The id under which the provider knows an object."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def shaped(live: Mapping[str, Any], shape: Mapping[str, Any]) -> Values:
    """What a live object has of a shape: defaults and the server's own fields are left out."""
    return {key: _pruned(live[key], value) for key, value in shape.items() if key in live}


def _pruned(live: Any, shape: Any) -> Any:
    if isinstance(live, Mapping) and isinstance(shape, Mapping):
        return shaped(live, shape)
    if isinstance(live, list) and isinstance(shape, list) and len(live) == len(shape):
        return [_pruned(item, like) for item, like in zip(live, shape, strict=True)]
    return live


def refusal(error: ClusterError) -> CloudError:
    """The server's refusal in the provider's words."""
    message = error.message
    if error.status == CONFLICT and error.reason == "Conflict":
        message = (
            "server-side apply field conflict detected: the resource managed by field manager "
            f'"{MANAGER}" had an apply conflict: {error.message}'
        )
    if error.status == UNAUTHORIZED:
        message = "the server has asked for the client to provide credentials"
    return CloudError(error.status, error.reason, message)


def _lacks_namespace(error: ClusterError) -> bool:
    return error.status == NOT_FOUND and error.message.startswith("namespaces ")
