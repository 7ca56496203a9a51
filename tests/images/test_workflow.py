"""The workflow of the images: what runs when, as whom, and in which order."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.workflows.test_files import USED, read
from virtci.places import ROOT
from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Request, face, listen

FILE = ROOT / ".github/workflows/images.yaml"
BUILDS = ("azure", "aws")
TOKEN = "the-request-token"
IDENTITY = ROOT / "cloud/scripts/aws-identity.sh"


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return read(FILE)


def script(job: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def test_images_are_checked_every_night_and_built_every_fortnight_and_on_demand(workflow: dict[str, Any]) -> None:
    night, fortnight = (item["cron"] for item in workflow["on"]["schedule"])
    assert night.split()[2:] == ["*", "*", "*"]
    assert fortnight.split()[2:] == ["1,15", "*", "*"]
    assert "workflow_dispatch" in workflow["on"]
    (plan,) = [step for step in workflow["jobs"]["plan"]["steps"] if step.get("id") == "plan"]
    assert f"github.event.schedule == '{fortnight}'" in plan["env"]["FORTNIGHT"]


def test_a_job_may_do_only_what_it_says_and_not_for_ever(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        rights = {"contents": "read"} | ({"id-token": "write"} if name in ("plan", *BUILDS) else {})
        assert job["permissions"] == rights
        assert int(job["timeout-minutes"]) <= 120
        assert job["environment"] == "images", "the identities trust this environment"


def test_one_build_at_a_time_because_the_quota_has_room_for_one(workflow: dict[str, Any]) -> None:
    assert workflow["concurrency"] == {"group": "images", "cancel-in-progress": "false"}


@pytest.mark.parametrize("name", BUILDS)
def test_nothing_is_offered_before_its_canary_passed_and_nothing_deleted_before_that(
    workflow: dict[str, Any], name: str
) -> None:
    text = script(workflow["jobs"][name])
    order = ["L0BaseImage", "images record", " canary ", "images promote", "images prune"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert f"--seen cloud/{name}/build/seen.json" in text
    assert "--without-canary" not in text


@pytest.mark.parametrize("name", BUILDS)
def test_a_login_that_a_build_outlives_is_made_again_for_the_canary(workflow: dict[str, Any], name: str) -> None:
    steps = workflow["jobs"][name]["steps"]
    built = next(number for number, step in enumerate(steps) if step["name"] == "build")
    after = [json.dumps(step) for step in steps[built + 1 :]]
    assert any("azure/login" in step or "aws-identity.sh" in step for step in after)
    assert any("create-github-app-token" in step for step in after)
    assert all("steps.app." not in step for step in after)


def test_both_clouds_build_the_same_version_and_neither_stops_the_other(workflow: dict[str, Any]) -> None:
    for name in BUILDS:
        job = workflow["jobs"][name]
        assert job["needs"] == "plan"
        assert job["env"]["IMAGE_VERSION"] == "${{ needs.plan.outputs.version }}"


def test_no_secret_is_on_a_command_line_and_only_one_step_has_the_token_of_the_registry(
    workflow: dict[str, Any],
) -> None:
    holders = []
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "secrets." not in step.get("run", "")
            assert "${{" not in step.get("run", "")
            holders += [step["name"] for value in step.get("env", {}).values() if "VAGRANT_CLOUD_TOKEN" in value]
    assert holders == ["upload"]


def test_what_a_person_sets_is_written_down() -> None:
    text = (ROOT / "docs/images.md").read_text()
    used = set(USED.findall(FILE.read_text()))
    assert used
    assert {name for name in used if f"`{name}`" not in text} == set()


PLAN_CASES = [
    ("0", "false", "false"),
    ("0", "true", "true"),
    ("1", "false", "true"),
    ("1", "true", "true"),
]


def planned(workflow: dict[str, Any], tmp_path: Path, code: str, fortnight: str) -> tuple[int, dict[str, str]]:
    """Runs the step with a `virtci` whose check ends with a code."""
    (step,) = [step for step in workflow["jobs"]["plan"]["steps"] if step.get("id") == "plan"]
    stand_in = tmp_path / "virtci"
    stand_in.write_text(f'#!/bin/sh\n[ "$2" != check ] || exit {code}\necho 2026.11.2\n')
    stand_in.chmod(0o755)
    output = tmp_path / "output"
    output.touch()
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "FORTNIGHT": fortnight,
        "GITHUB_OUTPUT": str(output),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, env=environment, check=False)
    return done.returncode, dict(line.split("=", 1) for line in output.read_text().splitlines())


@pytest.mark.parametrize(("code", "fortnight", "due"), PLAN_CASES)
def test_an_image_is_built_when_it_is_time_or_when_its_agent_ends(
    workflow: dict[str, Any], tmp_path: Path, code: str, fortnight: str, due: str
) -> None:
    assert planned(workflow, tmp_path, code, fortnight) == (0, {"version": "2026.11.2", "due": due})


def test_nothing_is_built_when_nobody_could_be_asked(workflow: dict[str, Any], tmp_path: Path) -> None:
    assert planned(workflow, tmp_path, "3", "true") == (3, {})


@contextmanager
def issuer(status: int = 200) -> Iterator[tuple[str, list[Request]]]:
    """GitHub's issuer of OIDC tokens, as a job reaches it."""
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(status, {"value": "an.oidc.token", "count": 1})

    with listen(face(answer)) as port:
        yield f"http://127.0.0.1:{port}/token?api-version=2.0", asked


def identity(tmp_path: Path, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN, "NO_PROXY": "127.0.0.1", **more}
    if url:
        environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = url
    command = ["bash", "-x", str(IDENTITY), str(tmp_path / "identity")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_token_for_aws_is_in_a_file_that_only_the_job_reads(tmp_path: Path) -> None:
    with issuer() as (url, asked):
        assert identity(tmp_path, url).returncode == 0
    (request,) = asked
    assert parse_qs(urlsplit(request.target).query)["audience"] == ["sts.amazonaws.com"]
    assert request.headers["Authorization"] == f"bearer {TOKEN}"
    assert (tmp_path / "identity").read_text() == "an.oidc.token"
    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o600


def test_a_job_without_the_right_is_told_so(tmp_path: Path) -> None:
    done = identity(tmp_path, "")
    assert done.returncode != 0
    assert "the job needs the permission id-token: write" in done.stderr


def test_a_refusal_leaves_no_token(tmp_path: Path) -> None:
    with issuer(403) as (url, _):
        assert identity(tmp_path, url).returncode != 0
    assert not (tmp_path / "identity").exists()
