"""Rules of the workflow files that no linter knows."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.places import ROOT, stack_file, stacks

FILES = sorted((ROOT / ".github").glob("workflows/*.yaml"))
ACTIONS = sorted((ROOT / ".github").glob("actions/*/action.yaml"))
OURS = ("preview", "deploy", "drift", "ci")
PINNED = re.compile(r"uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)$")
USED = re.compile(r"\b(?:vars|secrets)\.([A-Z_]+)")


def read(path: Path) -> dict[str, Any]:
    """A file with all its values as texts: `on` is no boolean there."""
    content: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506  makes only texts
    return content


def workflow(name: str) -> dict[str, Any]:
    return read(ROOT / ".github" / "workflows" / f"{name}.yaml")


def of_clouds() -> set[str]:
    """The stacks that declare something outside of a cluster; those inside need a way into the private network."""
    configurations = {name: yaml.safe_load(stack_file(name).read_text())["config"] for name in stacks()}
    return {name for name, configuration in configurations.items() if "virt-ci:kubevirt" not in configuration}


@pytest.mark.parametrize(("name", "job"), [("preview", "preview"), ("drift", "check")])
def test_every_stack_of_the_clouds_is_previewed_and_checked(name: str, job: str) -> None:
    listed = workflow(name)["jobs"][job]["strategy"]["matrix"]["stack"]
    text = (ROOT / ".github" / "workflows" / f"{name}.yaml").read_text()

    assert set(listed) == of_clouds()
    assert f"--of {' '.join(listed)} " in text


def test_every_stack_of_the_clouds_is_deployed_after_the_ones_before_it() -> None:
    jobs = {name: job for name, job in workflow("deploy")["jobs"].items() if name != "runners"}

    assert set(jobs) == of_clouds()
    assert [(name, job.get("needs")) for name, job in jobs.items()] == [("hub", None), ("dev", "hub"), ("test", "dev")]
    for name, job in jobs.items():
        assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": "false"}
        assert job["environment"] == "deploy"
        assert [step["with"]["stack"] for step in job["steps"] if "stack" in step.get("with", {})] == [name]


@pytest.mark.parametrize("name", OURS)
def test_a_job_may_do_only_what_it_says_and_not_for_ever(name: str) -> None:
    content = workflow(name)
    assert content["permissions"] == {}
    assert "pull_request_target" not in content["on"]
    for job in content["jobs"].values():
        assert "permissions" in job
        assert int(job["timeout-minutes"]) <= 120


@pytest.mark.parametrize("path", [*FILES, *ACTIONS], ids=lambda path: f"{path.parent.name} {path.stem}")
def test_actions_of_others_are_pinned_to_one_commit_and_say_its_version(path: Path) -> None:
    uses = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    found = [PINNED.fullmatch(line) for line in uses if not line.startswith("uses: ./")]
    assert all(found), uses


def test_an_action_has_the_same_commit_everywhere() -> None:
    lines = {line.strip().removeprefix("- ") for path in [*FILES, *ACTIONS] for line in path.read_text().splitlines()}
    found = [match for match in map(PINNED.fullmatch, lines) if match]
    assert len({match["action"] for match in found}) == len(found)


@pytest.mark.parametrize("name", OURS)
def test_only_jobs_of_an_environment_have_secrets(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        assert "environment" in job or "secrets." not in str(job)


def test_what_a_person_sets_is_written_down() -> None:
    text = (ROOT / "docs" / "pipelines.md").read_text()
    paths = [ROOT / ".github" / "workflows" / f"{name}.yaml" for name in OURS]
    used = {name for path in paths for name in USED.findall(path.read_text())}
    assert used
    assert {name for name in used if f"`{name}`" not in text} == set()
