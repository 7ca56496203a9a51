"""Which inputs the GitHub provider takes, and what it refuses before it calls anything."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from virtci.rehearsal.bridge import Change, Failure, Values, has_unknown

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
SEALED: Schema = {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}
FLAG: Schema = {"type": "boolean"}
REVIEWER_IDS: Schema = {"type": "array", "items": {"type": "integer"}, "maxItems": 6}
ENTRY_NAME: Schema = {
    "type": "string",
    "allOf": [{"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, {"not": {"pattern": "^[Gg][Ii][Tt][Hh][Uu][Bb]_"}}],
}
REVIEWERS: Schema = {
    "type": "array",
    "maxItems": 1,
    "items": {
        "type": "object",
        "properties": {"teams": REVIEWER_IDS, "users": REVIEWER_IDS},
        "additionalProperties": False,
    },
}
BRANCH_POLICY: Schema = {
    "type": "object",
    "properties": {"customBranchPolicies": FLAG, "protectedBranches": FLAG},
    "required": ["customBranchPolicies", "protectedBranches"],
    "additionalProperties": False,
}
SECRET_VALUES = ("value", "valueEncrypted", "encryptedValue", "plaintextValue")
MOST_REVIEWERS = 6


@dataclass(frozen=True, slots=True)
class Kind:
    """The inputs of a resource type: schemas, required names, defaults, computed outputs, replacing changes."""

    inputs: Mapping[str, Schema]
    required: tuple[str, ...]
    computed: tuple[str, ...]
    replacing: tuple[str, ...]
    defaults: Values = field(default_factory=dict)
    # Groups of inputs of which exactly one must be given.
    one_of: tuple[str, ...] = ()
    more: Callable[[Values], Iterator[Failure]] = lambda _: iter(())


def _reviewers(inputs: Values) -> Iterator[Failure]:
    asked = inputs.get("reviewers") or []
    if not has_unknown(asked) and sum(len(ids) for item in asked for ids in item.values()) > MOST_REVIEWERS:
        yield Failure("reviewers", "a maximum of 6 reviewers (users and teams combined) can be set for an environment")


def _key_id(inputs: Values) -> Iterator[Failure]:
    has_key = inputs.get("keyId") is not None
    for name in ("value", "plaintextValue"):
        if has_key and inputs.get(name) is not None:
            yield Failure("keyId", f'"keyId": conflicts with {name}')
    if inputs.get("valueEncrypted") is not None and not has_key:
        yield Failure("valueEncrypted", '"valueEncrypted": all of `keyId,valueEncrypted` must be specified')


PLACE = {"repository": NAME, "environment": {**NAME, "maxLength": 255}}
TIMES = ("createdAt", "updatedAt")

ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"
POLICY = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret"  # noqa: S105  a type, not a secret
VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"

KINDS: Mapping[str, Kind] = {
    ENVIRONMENT: Kind(
        inputs={
            **PLACE,
            "canAdminsBypass": FLAG,
            "deploymentBranchPolicy": BRANCH_POLICY,
            "preventSelfReview": FLAG,
            "reviewers": REVIEWERS,
            "waitTimer": {"type": "integer", "minimum": 0, "maximum": 43_200},
        },
        required=("environment", "repository"),
        computed=("repositoryId",),
        replacing=("environment", "repository"),
        defaults={"canAdminsBypass": True, "preventSelfReview": False},
        more=_reviewers,
    ),
    POLICY: Kind(
        inputs={**PLACE, "branchPattern": NAME, "tagPattern": NAME},
        required=("environment", "repository"),
        computed=("policyId", "repositoryId"),
        replacing=("environment", "repository"),
        one_of=("branchPattern", "tagPattern"),
    ),
    SECRET: Kind(
        inputs={
            **PLACE,
            "secretName": ENTRY_NAME,
            "encryptedValue": SEALED,
            "keyId": TEXT,
            "plaintextValue": TEXT,
            "value": TEXT,
            "valueEncrypted": SEALED,
        },
        required=("environment", "repository", "secretName"),
        computed=(*TIMES, "keyId", "remoteUpdatedAt", "repositoryId"),
        replacing=("environment", "repository", "secretName"),
        one_of=SECRET_VALUES,
        more=_key_id,
    ),
    VARIABLE: Kind(
        inputs={**PLACE, "value": TEXT, "variableName": ENTRY_NAME},
        required=("environment", "repository", "value", "variableName"),
        computed=(*TIMES, "repositoryId"),
        replacing=("environment", "repository", "variableName"),
    ),
}
# A pattern cannot become one of the other type, so switching is a replacement while rewording is not.
SWITCHES = ("branchPattern", "tagPattern")


def failures(kind: str, inputs: Values) -> Iterator[Failure]:
    """Everything that is wrong with the inputs. No reason repeats a value: it can be a secret."""
    row = KINDS[kind]
    given = {name for name, value in inputs.items() if value is not None}
    for name in sorted(given - row.inputs.keys()):
        yield Failure(name, f'Invalid or unknown key: "{name}" is not an input of {kind}')
    for name in row.required:
        if name not in given:
            yield Failure(name, f'Missing required argument: the argument "{name}" is required')
    if row.one_of and len(given.intersection(row.one_of)) != 1:
        yield Failure(row.one_of[0], f"exactly one of `{','.join(row.one_of)}` must be specified")
    wrong = [failure for name in sorted(given & row.inputs.keys()) for failure in _wrong(row, name, inputs[name])]
    yield from wrong
    if not wrong:
        yield from row.more(inputs)


def replaces(kind: str, change: Change) -> bool:
    """Whether the Terraform provider marks the changed property as one that forces a new resource."""
    name = re.split(r"[.\[]", change.path)[0]
    return name in KINDS[kind].replacing or (name in SWITCHES and change.kind != "update")


def _wrong(row: Kind, name: str, value: object) -> Iterator[Failure]:
    if has_unknown(value):
        return
    for error in Draft202012Validator(row.inputs[name]).iter_errors(value):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        yield Failure(f"{name}{place}", f"the value breaks the rule {error.validator}: {error.validator_value}")
