"""The azure-native provider, on a simulated Azure."""

from collections.abc import Mapping

from virtci.rehearsal.azure import bodies
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.catalogue import BY_KIND
from virtci.rehearsal.azure.resource_types import ResourceType
from virtci.rehearsal.bridge import Change, Failure, HalfMadeError, Values, is_unknown
from virtci.rehearsal.journal import CloudError

DELAYS = (20.0, 60.0, 120.0)
RETRIED = {408, 429, 500, 502, 503, 504}


class AzureNative:
    """What the real provider does with each resource, in plain values."""

    package = "azure-native"
    delete_before_replace = False

    def __init__(self, manager: ResourceManager) -> None:
        self.manager = manager
        self._location = ""

    def configure(self, variables: Mapping[str, str]) -> None:
        """Keeps the default location; the subscription is the scenario's."""
        self._location = variables.get("location", "")

    def check(self, kind: str, inputs: Values) -> list[Failure]:
        """Refuses what Microsoft's published model does not know or allow."""
        row = _row(kind)
        missing = [
            Failure(name, "is required: it is a part of the resource's path")
            for name in row.parameters
            if inputs.get(name) in (None, "")
        ]
        _, problems = bodies.encode(row.request, self._body_inputs(row, inputs))
        return missing + problems

    def settable(self, kind: str, outputs: Values) -> Values:
        """The outputs without what only the service sets, at any depth."""
        row = _row(kind)
        parameters = {name: outputs[name] for name in row.parameters if name in outputs}
        return bodies.settable(row.request, outputs) | parameters

    def replaces(self, kind: str, change: Change) -> bool:
        """As the table of resource types says."""
        return _row(kind).replaces(change.path)

    def preview(self, kind: str, inputs: Values, state: Values | None) -> Values:
        """The inputs, everything else unknown; an update keeps the name and the location."""
        row = _row(kind)
        outputs = bodies.preview(row.response, self._body_inputs(row, inputs))
        for name in ("name", "location"):
            if state and name in state and is_unknown(outputs.get(name)):
                outputs[name] = state[name]
        return outputs

    def create(self, kind: str, inputs: Values) -> tuple[str, Values]:
        """Makes sure that nothing is there, creates, and reads what came out."""
        row = _row(kind)
        target = self._target(row, inputs)
        if not row.singleton and self._send("GET", target).status == 200:
            text = f"cannot create already existing resource '{target}'"
            raise CloudError(409, "ResourceAlreadyExists", text)
        return target, self._put(row, target, inputs, existed=row.singleton)

    def read(self, kind: str, resource_id: str, inputs: Values, _state: Values) -> Values | None:
        """The live outputs, or nothing."""
        response = self._send("GET", resource_id)
        if response.status == 404:
            return None
        row = _row(kind)
        # An import knows nothing but the id, so what stands in its path is read from there.
        return _outputs(row, _accepted(response)) | ({} if inputs else row.parameters_of(resource_id))

    def update(self, kind: str, resource_id: str, inputs: Values, _state: Values) -> Values:
        """Puts the whole resource again."""
        return self._put(_row(kind), resource_id, inputs, existed=True)

    def delete(self, kind: str, resource_id: str, _state: Values) -> None:
        """Deletes, or sets back what its parent always has; what is gone already is fine."""
        response = self._send("PUT", resource_id, {}) if _row(kind).singleton else self._send("DELETE", resource_id)
        if response.status != 404:
            _accepted(response)

    def invoke(self, token: str, arguments: Values) -> Values:
        """Answers the functions that programs here may call."""
        functions = {
            "azure-native:authorization:getClientConfig": self._client_config,
            "azure-native:containerservice:listManagedClusterUserCredentials": self._cluster_credentials,
        }
        if token not in functions:
            raise CloudError(400, "InvalidFunction", f"The function '{token}' is not known to the simulated provider.")
        return functions[token](arguments)

    def _client_config(self, _: Values) -> Values:
        scenario = self.manager.scenario
        return {
            "clientId": scenario.deployer,
            "objectId": scenario.deployer,
            "subscriptionId": scenario.subscription,
            "tenantId": scenario.tenant,
        }

    def _cluster_credentials(self, arguments: Values) -> Values:
        row = BY_KIND["azure-native:containerservice:ManagedCluster"]
        cluster = row.target(self.manager.scenario.subscription, arguments)
        return _accepted(self._send("POST", f"{cluster}/listClusterUserCredential")).body or {}

    def _put(self, row: ResourceType, target: str, inputs: Values, *, existed: bool) -> Values:
        body, problems = bodies.encode(row.request, self._body_inputs(row, inputs))
        if problems:
            text = "; ".join(f"'{item.property}' {item.reason}" for item in problems)
            raise CloudError(400, "InvalidRequestContent", text)
        response = self._send("PUT", target, body)
        if response.status >= 400:
            raise self._failed(row, target, response, existed)
        found = self._send("GET", target)
        if found.status != 200:  # made, but never seen: its answer is all that is known of it
            raise HalfMadeError(target, _outputs(row, response), _reason(found))
        return _outputs(row, found)

    def _failed(self, row: ResourceType, target: str, response: Response, existed: bool) -> Exception:
        """A refused PUT is an error; one that left something behind must still reach the state."""
        found = self._send("GET", target)
        if found.status != 200 or existed:
            return _error(response)
        return HalfMadeError(target, _outputs(row, found), _reason(response))

    def _send(self, method: str, path: str, body: Values | None = None) -> Response:
        """Sends, and tries again where the real provider does."""
        response = self.manager.request(method, path, body)
        for delay in DELAYS:
            if not _is_retried(response):
                break
            with self.manager.clock.operation():
                self.manager.clock.wait(max(delay, float(response.headers.get("Retry-After", 0))))
            response = self.manager.request(method, path, body)
        return response

    def _target(self, row: ResourceType, inputs: Values) -> str:
        return row.target(self.manager.scenario.subscription, inputs)

    def _body_inputs(self, row: ResourceType, inputs: Values) -> Values:
        shape = row.request
        body = {
            name: value for name, value in inputs.items() if name not in row.parameters and not name.startswith("__")
        }
        if self._location and "location" in shape.fields and not shape.fields["location"].read_only:
            body.setdefault("location", self._location)
        return body


def _row(kind: str) -> ResourceType:
    found = BY_KIND.get(kind)
    if found is None:
        raise CloudError(400, "UnknownResourceType", f"The simulated Azure does not know the type '{kind}'.")
    return found


def _outputs(row: ResourceType, response: Response) -> Values:
    """The SDK outputs; the id travels outside of them."""
    outputs = bodies.decode(row.response, response.body or {})
    return {name: value for name, value in outputs.items() if name != "id"}


def _reason(response: Response) -> str:
    error = _error(response)
    return f'Status={error.status} Code="{error.code}" Message="{error.message}"'


def _is_retried(response: Response) -> bool:
    if response.status == 409:
        return _error(response).code == "AnotherOperationInProgress"
    return response.status in RETRIED


def _accepted(response: Response) -> Response:
    if response.status >= 400:
        raise _error(response)
    return response


def _error(response: Response) -> CloudError:
    error = (response.body or {}).get("error", {})
    return CloudError(response.status, str(error.get("code", "")), str(error.get("message", "")))
