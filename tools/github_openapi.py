"""Cuts the operations that the simulated GitHub serves out of GitHub's published OpenAPI description.

The result holds structure only: paths, parameters, request bodies, status codes and schemas. Texts, examples
and vendor extensions are dropped, and responses keep what the service always answers plus the few optional
properties that a client of the rehearsal reads.

How to renew the table: `npm pack @octokit/openapi` in an empty folder, unpack it, and give this program
`package/generated/api.github.com.json`, the version of the package and the day it was published.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Node = Any
Description = Mapping[str, Any]

ENVIRONMENT = "/repos/{owner}/{repo}/environments/{environment_name}"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "/repos/{owner}/{repo}": ("get",),
    "/users/{username}": ("get",),
    "/orgs/{org}/teams/{team_slug}": ("get",),
    "/repos/{owner}/{repo}/environments": ("get",),
    ENVIRONMENT: ("get", "put", "delete"),
    f"{ENVIRONMENT}/deployment-branch-policies": ("get", "post"),
    f"{ENVIRONMENT}/deployment-branch-policies/{{branch_policy_id}}": ("get", "put", "delete"),
    f"{ENVIRONMENT}/secrets": ("get",),
    f"{ENVIRONMENT}/secrets/public-key": ("get",),
    f"{ENVIRONMENT}/secrets/{{secret_name}}": ("get", "put", "delete"),
    f"{ENVIRONMENT}/variables": ("get", "post"),
    f"{ENVIRONMENT}/variables/{{name}}": ("get", "patch", "delete"),
    "/repos/{owner}/{repo}/actions/variables": ("get", "post"),
    "/repos/{owner}/{repo}/actions/variables/{name}": ("get", "patch", "delete"),
    "/repos/{owner}/{repo}/issues": ("get", "post"),
    "/repos/{owner}/{repo}/issues/{issue_number}": ("get", "patch"),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("get", "patch"),
    "/repos/{owner}/{repo}/actions/runners": ("get",),
    "/repos/{owner}/{repo}/actions/runners/downloads": ("get",),
    "/repos/{owner}/{repo}/actions/runners/registration-token": ("post",),
    "/repos/{owner}/{repo}/actions/runners/generate-jitconfig": ("post",),
    "/repos/{owner}/{repo}/actions/runners/{runner_id}": ("get", "delete"),
    "/repos/{owner}/{repo}/actions/runs": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs": ("get",),
}
# Optional properties of a response that a client reads; every other optional one of these schemas is dropped.
KEPT: Mapping[str, tuple[str, ...]] = {
    "full-repository": ("visibility", "is_template", "topics", "allow_forking"),
    "public-user": (),
    "private-user": (),
    "simple-user": (),
    "team": (),
    "team-full": ("privacy", "notification_setting"),
    "team-organization": (),
    "issue": ("body", "state_reason", "pull_request"),
    "issue-comment": ("body",),
    "nullable-simple-user": (),
    "nullable-milestone": (),
    "runner": ("version", "ephemeral"),
    "workflow-run": ("name", "run_attempt", "run_started_at"),
    "minimal-repository": (),
    "nullable-simple-commit": (),
    "pull-request-minimal": (),
    "job": ("run_attempt", "steps"),
    "runner-label": ("type",),
    "authentication-token": (),
}
TEXTS = ("description", "summary", "example", "examples", "title", "externalDocs", "deprecated", "tags", "callbacks")
SOURCE = "@octokit/openapi, generated/api.github.com.json"


def subset(description: Description, version: str, date: str) -> dict[str, Any]:
    """The table: the wanted operations and every component that they still refer to."""
    paths = {
        path: {method: _operation(description["paths"][path][method]) for method in methods}
        for path, methods in OPERATIONS.items()
    }
    components: dict[str, dict[str, Node]] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, group, name = waiting.pop().split("/")
        if name not in components.setdefault(group, {}):
            components[group][name] = _plain(_pruned(name, description["components"][group][name]))
            waiting += _references(components[group][name])
    return {
        "source": SOURCE,
        "version": version,
        "date": date,
        "openapi": description["openapi"],
        "paths": paths,
        "components": {group: dict(sorted(items.items())) for group, items in sorted(components.items())},
    }


def _operation(operation: Node) -> dict[str, Node]:
    kept = ("operationId", "parameters", "requestBody", "responses")
    return {key: _plain(operation[key]) for key in kept if key in operation}


def _pruned(name: str, schema: Node) -> Node:
    if name not in KEPT:
        return schema
    wanted = {*schema.get("required", ()), *KEPT[name]}
    return {**schema, "properties": {key: value for key, value in schema["properties"].items() if key in wanted}}


def _plain(node: Node, names_are_free: bool = False) -> Node:
    """The node without its texts; below `properties` a key is a name, not a keyword, and stays."""
    if isinstance(node, Mapping):
        return {
            key: _plain(value, names_are_free=key in ("properties", "responses"))
            for key, value in node.items()
            if names_are_free or not (key in TEXTS or key.startswith("x-") or key == "headers")
        }
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _references(node: Node) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the description, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("description", type=Path, help="path of the package's generated/api.github.com.json")
    parser.add_argument("table", type=Path, help="the file to write, virtci/data/github-openapi.json")
    parser.add_argument("--version", required=True, help="version of the package, for example 23.0.2")
    parser.add_argument("--date", required=True, help="day on which that version was published, YYYY-MM-DD")
    given = parser.parse_args(arguments)
    table = subset(json.loads(given.description.read_text(encoding="utf-8")), given.version, given.date)
    given.table.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
