"""GitHub's published OpenAPI description as the judge of every request and of every answer of the simulated API."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, ValidationError

from virtci.rehearsal.github import younger
from virtci.rehearsal.journal import CloudError

Schema = dict[str, Any]
JSON_TYPE = "application/json"

# What the service takes although its description leaves it out. Clients that protect environments send
# `can_admins_bypass`; without it the service switches the bypass on.
UNDESCRIBED: Mapping[str, Schema] = {
    "repos/create-or-update-environment": {"can_admins_bypass": {"type": ["boolean", "null"]}},
}
PROBLEMS: Mapping[str, str] = {
    "type": "For 'properties/{path}', the value is not of the type {rule}.",
    "enum": "For 'properties/{path}', the value is not a member of {rule}.",
    "pattern": "For 'properties/{path}', the value does not match {rule}.",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path or query parameter."""

    name: str
    place: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Operation:
    """One declared operation."""

    name: str
    method: str
    path: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    body: Schema | None
    body_required: bool
    answers: Mapping[int, Schema | None]


def not_found() -> CloudError:
    """GitHub's answer for what is absent and for what the caller must not know of."""
    return CloudError(404, "NotFound", "Not Found")


def unprocessable(message: str) -> CloudError:
    """GitHub's answer for a well-formed request that breaks a rule."""
    return CloudError(422, "UnprocessableEntity", message)


def invalid(problem: str) -> CloudError:
    """GitHub's answer for a request that contradicts its description."""
    return unprocessable(f"Invalid request.\n\n{problem}")


class Contract:
    """The operations of the description, with every reference resolved."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description
        declared = (
            self._operation(path, method, operation)
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
        )
        # A literal segment goes before a parameter.
        self.operations = sorted(declared, key=lambda item: item.path.groups)
        self.error = self.schema("basic-error")

    def schema(self, name: str) -> Schema:
        """A component schema as plain JSON Schema."""
        return dict(self._resolved(self._description["components"]["schemas"][name]))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation for a request and its path parameters, or nothing for an undeclared one."""
        for operation in self.operations:
            match = operation.path.fullmatch(path) if operation.method == method else None
            if match:
                return operation, {key: unquote(value) for key, value in match.groupdict().items()}
        return None

    def check_parameters(self, operation: Operation, path: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Refuses parameters of a wrong type, and query parameters that the operation does not declare."""
        declared = {(item.place, item.name): item.schema for item in operation.parameters}
        for place, given in (("path", path), ("query", query)):
            for name, text in given.items():
                if (place, name) not in declared:
                    raise invalid(f'"{name}" is not a permitted key.')
                if not _fits(text, declared[place, name]):
                    raise not_found() if place == "path" else invalid(f"The parameter {name} has a wrong type.")

    def check_body(self, operation: Operation, text: bytes) -> dict[str, Any]:
        """The request's body, or GitHub's refusal. A refusal never repeats a value: it can be a secret."""
        if not text and not operation.body_required:
            return {}
        try:
            body = json.loads(text or b"null")
        except ValueError as error:
            raise CloudError(400, "BadRequest", "Problems parsing JSON") from error
        if operation.body is None:
            raise invalid("The operation takes no body.")
        problems = [_problem(error) for error in _errors(operation.body, body)]
        if problems:
            raise invalid("\n".join(problems))
        if body is not None and not isinstance(body, dict):
            raise CloudError(400, "BadRequest", "Body should be a JSON object")
        return body or {}

    def check_answer(self, operation: Operation | None, status: int, body: object) -> None:
        """Fails when the simulator itself answers what GitHub's description does not allow."""
        declared = operation.answers if operation else {}
        refused = status >= 400
        if status not in declared and not refused:
            raise AssertionError(f"status {status} is not declared for {operation}")
        schema = declared.get(status) or (self.error if refused else None)
        problems = ["a body"] if schema is None and body is not None else []
        problems += [error.message for error in _errors(schema, body)] if schema else []
        if problems:
            raise AssertionError(f"{operation.name if operation else 'no operation'} {status}: {problems}")

    def _operation(self, path: str, method: str, described: Mapping[str, Any]) -> Operation:
        body = described.get("requestBody")
        name = described["operationId"]
        return Operation(
            name=name,
            method=method.upper(),
            path=re.compile("".join(_segment(part) for part in path.split("/")[1:])),
            parameters=tuple(self._parameters(described.get("parameters", ()))),
            body=_closed(self._resolved(body["content"][JSON_TYPE]["schema"]), UNDESCRIBED.get(name, {}))
            if body
            else None,
            body_required=bool(body and body.get("required")),
            answers={int(status): self._answer(answer) for status, answer in described["responses"].items()},
        )

    def _parameters(self, described: Sequence[Mapping[str, Any]]) -> Iterator[Parameter]:
        for item in self._resolved(list(described)):
            yield Parameter(item["name"], item["in"], item["schema"])

    def _answer(self, described: Mapping[str, Any]) -> Schema | None:
        content = self._resolved(described).get("content", {})
        schema: Schema | None = content[JSON_TYPE]["schema"] if JSON_TYPE in content else None
        return schema

    def _resolved(self, node: Any) -> Any:
        """The node with its references put in place and `nullable` written as JSON Schema writes it."""
        if isinstance(node, list):
            return [self._resolved(item) for item in node]
        if not isinstance(node, Mapping):
            return node
        if isinstance(node.get("$ref"), str):
            _, _, group, name = node["$ref"].split("/")
            return self._resolved(self._description["components"][group][name])
        found = {key: self._resolved(value) for key, value in node.items()}
        return _nullable(found) if found.pop("nullable", False) is True else found


@cache
def contract() -> Contract:
    """The contract that is shipped with the package."""
    text = resources.files("virtci.data").joinpath("github-openapi.json").read_text(encoding="utf-8")
    description = json.loads(text)
    return Contract(description | {"paths": description["paths"] | younger.PATHS})


def filled(schema: Schema, known: Mapping[str, Any], link: str, moment: str) -> dict[str, Any]:
    """An answer with every required property: what is known of the object, and neutral values for the rest."""
    wanted = set(schema.get("required", ())) | (schema["properties"].keys() & known.keys())
    return {
        name: known[name] if name in known else _neutral(property_schema, link, moment)
        for name, property_schema in schema["properties"].items()
        if name in wanted
    }


def _neutral(schema: Schema, link: str, moment: str) -> Any:
    kinds = schema.get("type", "string")
    if isinstance(kinds, list):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if kinds == "string":
        return {"uri": link, "date-time": moment}.get(schema.get("format", ""), "")
    if kinds == "object":
        return filled(schema, {}, link, moment)
    return {"integer": 0, "number": 0, "boolean": False, "array": []}[kinds]


def _segment(part: str) -> str:
    return rf"/(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else f"/{re.escape(part)}"


def _nullable(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    widened = {**schema, "type": [schema["type"], "null"]}
    return {**widened, "enum": [*schema["enum"], None]} if "enum" in schema else widened


def _closed(schema: Schema, more: Schema) -> Schema:
    """A request schema that refuses properties it does not name, as the service does for most operations."""
    if "items" in schema:
        return {**schema, "items": _closed(schema["items"], {})}
    if "properties" not in schema:
        return schema
    properties = {name: _closed(item, {}) for name, item in schema["properties"].items()}
    return {**schema, "properties": {**properties, **more}, "additionalProperties": False}


def _fits(text: str, schema: Schema) -> bool:
    return schema.get("type") != "integer" or text.isdecimal()


def _errors(schema: Schema, instance: object) -> list[ValidationError]:
    return sorted(Draft202012Validator(schema).iter_errors(instance), key=lambda error: error.json_path)


def _problem(error: ValidationError) -> str:
    schema: Any = error.schema
    given: Any = error.instance
    if error.validator == "additionalProperties":
        unknown = sorted(given.keys() - schema["properties"].keys())
        return "\n".join(f'"{name}" is not a permitted key.' for name in unknown)
    if error.validator == "required":
        missing = [name for name in schema["required"] if name not in given]
        return "\n".join(f'"{name}" wasn\'t supplied.' for name in missing)
    text = PROBLEMS.get(str(error.validator), "For 'properties/{path}', the value is not allowed.")
    return text.format(path="/".join(map(str, error.absolute_path)), rule=error.validator_value)
