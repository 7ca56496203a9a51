"""What the simulated provider takes and refuses, held against the SDK that the program uses."""

import inspect
from typing import Any

import pulumi_github
import pytest
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import Change, Values
from virtci.rehearsal.github.inputs import ENVIRONMENT, KINDS, POLICY, SECRET, VARIABLE
from virtci.rehearsal.github.lookups import LOOKUPS
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import CloudError

PLACE: Values = {"repository": "virt-ci", "environment": "dev"}
PLAIN = "correct-horse-battery"


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def names_of(function: Any) -> set[str]:
    return {camel(name) for name in inspect.signature(function).parameters if name not in ("__self__", "self")}


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_inputs_and_outputs_is_the_sdk_s(kind: str) -> None:
    name = kind.rsplit(":", 1)[1]
    arguments = inspect.signature(getattr(pulumi_github, f"{name}Args")).parameters
    row = KINDS[kind]
    assert set(row.inputs) == {camel(item) for item in arguments}
    needed = {camel(item) for item, value in arguments.items() if value.default is inspect.Parameter.empty}
    assert set(row.required) == needed
    resource = getattr(pulumi_github, name)
    outputs = {camel(item) for item, value in vars(resource).items() if isinstance(value, property)}
    assert set(row.inputs) | set(row.computed) == outputs
    assert resource.pulumi_type == kind


@pytest.mark.parametrize("token", LOOKUPS)
def test_the_table_of_lookups_is_the_sdk_s(github: GitHub, token: str) -> None:
    name = token.rsplit(":", 1)[1]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    assert LOOKUPS[token][0] == names_of(getattr(pulumi_github, snake)) - {"opts"}
    arguments = {"getUser": {"username": "octo-reviewer-1"}, "getTeam": {"slug": "keepers"}}
    answer = github.invoke(token, arguments.get(name, {"name": "virt-ci"}))
    result = getattr(pulumi_github, f"Get{name.removeprefix('get')}Result")
    assert set(answer) == names_of(result.__init__)


def test_the_sdk_declares_every_form_of_a_secret_as_secret() -> None:
    source = inspect.getsource(pulumi_github.ActionsEnvironmentSecret)
    assert 'additional_secret_outputs=["encryptedValue", "plaintextValue", "value", "valueEncrypted"]' in source


@pytest.mark.parametrize(
    ("kind", "inputs", "property_"),
    [
        (ENVIRONMENT, {**PLACE, "colour": "red"}, "colour"),
        (ENVIRONMENT, {"repository": "virt-ci"}, "environment"),
        (ENVIRONMENT, {**PLACE, "environment": ""}, "environment"),
        (ENVIRONMENT, {**PLACE, "environment": "x" * 256}, "environment"),
        (ENVIRONMENT, {**PLACE, "waitTimer": 43_201}, "waitTimer"),
        (ENVIRONMENT, {**PLACE, "waitTimer": "5"}, "waitTimer"),
        (ENVIRONMENT, {**PLACE, "canAdminsBypass": "no"}, "canAdminsBypass"),
        (ENVIRONMENT, {**PLACE, "reviewers": [{}, {}]}, "reviewers"),
        (ENVIRONMENT, {**PLACE, "reviewers": [{"users": ["301"]}]}, "reviewers[0].users[0]"),
        (ENVIRONMENT, {**PLACE, "reviewers": [{"people": [301]}]}, "reviewers[0]"),
        (ENVIRONMENT, {**PLACE, "reviewers": [{"users": [1, 2, 3, 4], "teams": [1, 2, 3]}]}, "reviewers"),
        (ENVIRONMENT, {**PLACE, "deploymentBranchPolicy": {"protectedBranches": True}}, "deploymentBranchPolicy"),
        (POLICY, PLACE, "branchPattern"),
        (POLICY, {**PLACE, "branchPattern": "main", "tagPattern": "v*"}, "branchPattern"),
        (POLICY, {**PLACE, "tagPattern": ""}, "tagPattern"),
        (SECRET, {**PLACE, "value": PLAIN}, "secretName"),
        (SECRET, {**PLACE, "secretName": "TOKEN"}, "value"),
        (SECRET, {**PLACE, "secretName": "GITHUB_TOKEN", "value": PLAIN}, "secretName"),
        (SECRET, {**PLACE, "secretName": "TOKEN", "value": PLAIN, "keyId": "1"}, "keyId"),
        (SECRET, {**PLACE, "secretName": "TOKEN", "valueEncrypted": "AAAA"}, "valueEncrypted"),
        (VARIABLE, {**PLACE, "variableName": "1ST", "value": "x"}, "variableName"),
        (VARIABLE, {**PLACE, "variableName": "REGION"}, "value"),
    ],
)
def test_inputs_that_the_real_provider_refuses_are_refused(
    github: GitHub, kind: str, inputs: Values, property_: str
) -> None:
    assert [failure.property for failure in github.check(kind, inputs)] == [property_]


def test_what_is_not_known_yet_is_not_refused(github: GitHub) -> None:
    inputs = {**PLACE, "environment": UNKNOWN, "reviewers": [{"users": [UNKNOWN]}], "waitTimer": UNKNOWN}
    assert github.check(ENVIRONMENT, inputs) == []


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        (ENVIRONMENT, Change("environment", "update"), True),
        (ENVIRONMENT, Change("repository", "update"), True),
        (ENVIRONMENT, Change("reviewers[0].users[0]", "update"), False),
        (POLICY, Change("branchPattern", "update"), False),
        (POLICY, Change("branchPattern", "delete"), True),
        (POLICY, Change("tagPattern", "add"), True),
        (SECRET, Change("secretName", "update"), True),
        (SECRET, Change("value", "update"), False),
        (VARIABLE, Change("variableName", "update"), True),
        (VARIABLE, Change("value", "update"), False),
    ],
)
def test_replacements_follow_the_terraform_provider(github: GitHub, kind: str, change: Change, expected: bool) -> None:
    assert github.replaces(kind, change) is expected


def test_lookups_answer_ids_as_the_real_provider_does(github: GitHub) -> None:
    user = github.invoke("github:index/getUser:getUser", {"username": "octo-reviewer-1"})
    assert (user["id"], user["login"], user["username"]) == ("301", "octo-reviewer-1", "octo-reviewer-1")
    for arguments in ({"name": "virt-ci"}, {"fullName": "octo-lab/virt-ci"}):
        repository = github.invoke("github:index/getRepository:getRepository", arguments)
        assert (repository["id"], repository["repoId"], repository["visibility"]) == ("virt-ci", 201, "public")
    team = github.invoke("github:index/getTeam:getTeam", {"slug": "keepers"})
    assert (team["id"], team["membershipType"]) == ("401", "all")


@pytest.mark.parametrize(
    ("token", "arguments", "message"),
    [
        ("getUser", {"username": "nobody"}, "GET https://api.github.com/users/nobody: 404 Not Found []"),
        ("getTeam", {"slug": "x"}, "GET https://api.github.com/orgs/octo-lab/teams/x: 404 Not Found []"),
        ("getRepository", {"name": "x"}, "GET https://api.github.com/repos/octo-lab/x: 404 Not Found []"),
        ("getUser", {}, 'Missing required argument: the argument "username" is required'),
        ("getRepository", {"fullName": "virt-ci"}, 'one of "fullName" or "name" has to be provided'),
        ("getTeam", {"slug": "keepers", "colour": "red"}, "github:index/getTeam:getTeam does not take colour."),
        ("getRelease", {}, "The rehearsal does not know the function github:index/getRelease:getRelease."),
    ],
)
def test_a_lookup_that_finds_nothing_says_so_in_the_provider_s_words(
    github: GitHub, token: str, arguments: Values, message: str
) -> None:
    with pytest.raises(CloudError) as refused:
        github.invoke(f"github:index/{token}:{token}", arguments)
    assert refused.value.message == message


def test_an_unknown_resource_type_is_refused(github: GitHub) -> None:
    with pytest.raises(CloudError, match="does not know the resource type"):
        github.check("github:index/repository:Repository", {})
