"""How the GitHub provider makes, reads, changes and deletes each resource type over the API."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from virtci.rehearsal.bridge import HalfMadeError, Values
from virtci.rehearsal.github.client import Client, sealed
from virtci.rehearsal.github.inputs import ENVIRONMENT, POLICY, SECRET, VARIABLE
from virtci.rehearsal.journal import CloudError

Create = Callable[[Client, Values], tuple[str, Values]]
Read = Callable[[Client, list[str], Values], Values | None]
Update = Callable[[Client, list[str], Values], Values]


@dataclass(frozen=True, slots=True)
class Resource:
    """The calls of one resource type. `list[str]` holds the parts of the id, `Values` the inputs or the state."""

    create: Create
    read: Read
    update: Update
    # Below the environment: what the object is called in the path of the API, nothing for the environment itself.
    below: str = ""


def identity(*parts: object) -> str:
    """An id as the Terraform provider writes it: a colon inside a part would end it."""
    return ":".join(str(part).replace(":", "??") for part in parts)


def parts_of(resource_id: str) -> list[str]:
    """The parts of an id."""
    return [part.replace("??", ":") for part in resource_id.split(":")]


def moment(text: str) -> str:
    """A time as the Terraform provider keeps it."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} +0000 UTC"


def _path(client: Client, repository: str, environment: str, *rest: object) -> tuple[str, ...]:
    return "repos", client.owner, repository, "environments", environment, *map(str, rest)


def repository_id(client: Client, repository: str) -> int:
    """The number of a repository."""
    return int(client.call("GET", "repos", client.owner, repository)["id"])


def _with_repository(client: Client, resource_id: str, outputs: Values) -> tuple[str, Values]:
    """Completes what was just made; when that fails, the resource exists although the operation does not succeed."""
    try:
        return resource_id, {**outputs, "repositoryId": repository_id(client, outputs["repository"])}
    except CloudError as error:
        raise HalfMadeError(resource_id, outputs, error.message) from error


def _environment_body(inputs: Values) -> dict[str, Any]:
    """Everything that can be set, because the service resets what a request leaves out."""
    policy = inputs.get("deploymentBranchPolicy")
    return {
        "wait_timer": inputs.get("waitTimer") or 0,
        "can_admins_bypass": inputs["canAdminsBypass"],
        "prevent_self_review": inputs["preventSelfReview"],
        "reviewers": [
            {"type": kind, "id": number}
            for group in inputs.get("reviewers") or ()
            for kind, key in (("Team", "teams"), ("User", "users"))
            for number in sorted(set(group.get(key) or ()))
        ],
        "deployment_branch_policy": {
            "protected_branches": policy["protectedBranches"],
            "custom_branch_policies": policy["customBranchPolicies"],
        }
        if policy
        else None,
    }


def _create_environment(client: Client, inputs: Values) -> tuple[str, Values]:
    place = inputs["repository"], inputs["environment"]
    client.call("PUT", *_path(client, *place), body=_environment_body(inputs))
    return _with_repository(client, identity(*place), inputs)


def _read_environment(client: Client, parts: list[str], _state: Values) -> Values | None:
    live = client.find(*_path(client, *parts))
    if live is None:
        return None
    rules = {rule["type"]: rule for rule in live["protection_rules"]}
    review = rules.get("required_reviewers", {})
    policy = live["deployment_branch_policy"]
    return {
        "canAdminsBypass": live["can_admins_bypass"],
        "preventSelfReview": review.get("prevent_self_review", False),
        "waitTimer": rules.get("wait_timer", {}).get("wait_timer", 0),
        "reviewers": _reviewers(review["reviewers"]) if review else [],
        # Written even when it is gone, so that a refresh sees the loss.
        "deploymentBranchPolicy": {
            "protectedBranches": policy["protected_branches"],
            "customBranchPolicies": policy["custom_branch_policies"],
        }
        if policy
        else None,
    }


def _reviewers(live: list[Mapping[str, Any]]) -> list[Values]:
    groups = (("teams", "Team"), ("users", "User"))
    return [{key: [item["reviewer"]["id"] for item in live if item["type"] == kind] for key, kind in groups}]


def _update_environment(client: Client, parts: list[str], inputs: Values) -> Values:
    client.call("PUT", *_path(client, *parts), body=_environment_body(inputs))
    return {}


def _pattern(inputs: Values) -> tuple[str, str]:
    kind = "branch" if inputs.get("branchPattern") is not None else "tag"
    return inputs[f"{kind}Pattern"], kind


def _create_policy(client: Client, inputs: Values) -> tuple[str, Values]:
    place = inputs["repository"], inputs["environment"]
    name, kind = _pattern(inputs)
    path = _path(client, *place, "deployment-branch-policies")
    made = client.call("POST", *path, body={"name": name, "type": kind})
    outputs = {**inputs, "policyId": made["id"]}
    return _with_repository(client, identity(*place, made["id"]), outputs)


def _read_policy(client: Client, parts: list[str], _state: Values) -> Values | None:
    live = client.find(*_path(client, *parts[:2], "deployment-branch-policies", parts[2]))
    if live is None:
        return None
    return {"policyId": live["id"], f"{live['type']}Pattern": live["name"]}


def _update_policy(client: Client, parts: list[str], inputs: Values) -> Values:
    path = _path(client, *parts[:2], "deployment-branch-policies", parts[2])
    return {"policyId": client.call("PUT", *path, body={"name": _pattern(inputs)[0]})["id"]}


def _write_secret(client: Client, parts: list[str], inputs: Values) -> Values:
    """Seals a plain value with the environment's key; a sealed one goes as it is."""
    place, name = parts[:2], parts[2]
    key_id = inputs.get("keyId")
    value = inputs.get("valueEncrypted") or inputs.get("encryptedValue")
    if not (key_id and value):
        key = client.call("GET", *_path(client, *place, "secrets", "public-key"))
        key_id = key["key_id"]
        value = value or sealed(key["key"], inputs.get("value") or inputs.get("plaintextValue") or "")
    body = {"key_id": key_id, "encrypted_value": value}
    client.call("PUT", *_path(client, *place, "secrets", name), body=body)
    outputs: Values = {"keyId": key_id}
    # The provider does without the times when it cannot read them back.
    with suppress(CloudError):
        live = client.call("GET", *_path(client, *place, "secrets", name))
        changed = moment(live["updated_at"])
        outputs |= {"createdAt": moment(live["created_at"]), "updatedAt": changed, "remoteUpdatedAt": changed}
    return outputs


def _create_secret(client: Client, inputs: Values) -> tuple[str, Values]:
    parts = [inputs["repository"], inputs["environment"], inputs["secretName"]]
    number = repository_id(client, inputs["repository"])
    return identity(*parts), {**inputs, **_write_secret(client, parts, inputs), "repositoryId": number}


def _read_secret(client: Client, parts: list[str], state: Values) -> Values | None:
    live = client.find(*_path(client, *parts[:2], "secrets", parts[2]))
    if live is None:
        return None
    changed = moment(live["updated_at"])
    known = {"createdAt": state.get("createdAt") or moment(live["created_at"]), "remoteUpdatedAt": changed}
    if state.get("updatedAt") in (None, changed):
        return {**known, "updatedAt": changed}
    # Somebody else set the secret: its value is not known any more, so the next update writes it again.
    return {**known, "updatedAt": state["updatedAt"]} | {
        name: None for name in ("value", "plaintextValue", "valueEncrypted", "encryptedValue") if name in state
    }


def _create_variable(client: Client, inputs: Values) -> tuple[str, Values]:
    place = inputs["repository"], inputs["environment"]
    name = inputs["variableName"]
    body = {"name": name, "value": inputs["value"]}
    client.call("POST", *_path(client, *place, "variables"), body=body)
    resource_id, outputs = _with_repository(client, identity(*place, name), inputs)
    return resource_id, {**outputs, **_variable_times(client, [*place, name])}


def _update_variable(client: Client, parts: list[str], inputs: Values) -> Values:
    path = _path(client, *parts[:2], "variables", parts[2])
    client.call("PATCH", *path, body={"name": inputs["variableName"], "value": inputs["value"]})
    return _variable_times(client, parts)


def _variable_times(client: Client, parts: list[str]) -> Values:
    with suppress(CloudError):
        live = client.call("GET", *_path(client, *parts[:2], "variables", parts[2]))
        return {"createdAt": moment(live["created_at"]), "updatedAt": moment(live["updated_at"])}
    return {}


def _read_variable(client: Client, parts: list[str], _state: Values) -> Values | None:
    live = client.find(*_path(client, *parts[:2], "variables", parts[2]))
    if live is None:
        return None
    return {
        "value": live["value"],
        "createdAt": moment(live["created_at"]),
        "updatedAt": moment(live["updated_at"]),
    }


def delete(client: Client, kind: str, parts: list[str]) -> None:
    """Deletes a resource of any type."""
    below = RESOURCES[kind].below
    client.remove(*_path(client, *parts[:2], *([below, parts[2]] if below else [])))


RESOURCES: Mapping[str, Resource] = {
    ENVIRONMENT: Resource(_create_environment, _read_environment, _update_environment),
    POLICY: Resource(_create_policy, _read_policy, _update_policy, "deployment-branch-policies"),
    SECRET: Resource(_create_secret, _read_secret, _write_secret, "secrets"),
    VARIABLE: Resource(_create_variable, _read_variable, _update_variable, "variables"),
}
