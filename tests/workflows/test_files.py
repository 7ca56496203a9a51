"""Rules of the workflow files that no linter knows."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.cli import runners
from virtci.places import ROOT, stack_file, stacks

FILES = sorted((ROOT / ".github").glob("workflows/*.yaml"))
ACTIONS = sorted((ROOT / ".github").glob("actions/*/action.yaml"))
OURS = ("preview", "deploy", "drift", "ci")
PINNED = re.compile(r"uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)$")
RUNNERS = ("start-runners", "stop-runner", "sweep-runners")
"""Called by workflows of the repository that has the runners."""
USED = re.compile(r"\b(?:vars|secrets)\.([A-Z_]+)")


def read(path: Path) -> dict[str, Any]:
    """A file with all its values as texts: `on` is no boolean there."""
    content: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506  makes only texts
    return content


def workflow(name: str) -> dict[str, Any]:
    return read(ROOT / ".github" / "workflows" / f"{name}.yaml")


def of_clouds() -> set[str]:
    """The stacks that the identities of the hub reach.

    What is inside a cluster needs a way into the private network; on-demand runners are in a subscription and an account
    of their own, where those identities have no login.
    """
    configurations = {name: yaml.safe_load(stack_file(name).read_text())["config"] for name in stacks()}
    elsewhere = {"virt-ci:kubevirt", "virt-ci:runners"}
    return {name for name, configuration in configurations.items() if not elsewhere & configuration.keys()}


@pytest.mark.parametrize(("name", "job"), [("preview", "preview"), ("drift", "check")])
def test_every_stack_of_the_clouds_is_previewed_and_checked(name: str, job: str) -> None:
    listed = workflow(name)["jobs"][job]["strategy"]["matrix"]["stack"]
    text = (ROOT / ".github" / "workflows" / f"{name}.yaml").read_text()

    assert set(listed) == of_clouds()
    assert f"--of {' '.join(listed)} " in text


def test_every_stack_of_the_clouds_is_deployed_after_the_ones_before_it() -> None:
    jobs = {name: job for name, job in workflow("deploy")["jobs"].items() if name not in ("runners", "publish")}

    assert set(jobs) == of_clouds()
    assert [(name, job.get("needs")) for name, job in jobs.items()] == [("hub", None), ("dev", "hub"), ("test", "dev")]
    for name, job in jobs.items():
        assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": "false"}
        assert job["environment"] == "deploy"
        assert [step["with"]["stack"] for step in job["steps"] if "stack" in step.get("with", {})] == [name]


def test_outputs_are_published_after_the_last_stack_by_a_token_that_may_do_nothing_else() -> None:
    job = workflow("deploy")["jobs"]["publish"]
    (token,) = [step for step in job["steps"] if "create-github-app-token" in step.get("uses", "")]

    assert job["needs"] == "test"
    assert job["permissions"] == {"contents": "read"}
    assert token["env"] == {"INPUT_PERMISSION-ACTIONS-VARIABLES": "write"}
    assert {name: given for name, given in token["with"].items() if name.startswith("permission-")} == {
        "permission-metadata": "read"
    }


@pytest.mark.parametrize("name", [*OURS, *RUNNERS])
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


@pytest.mark.parametrize("name", [*OURS, *RUNNERS])
def test_only_jobs_of_an_environment_have_secrets(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        assert "environment" in job or "secrets." not in str(job)


def test_what_a_person_sets_is_written_down() -> None:
    text = (ROOT / "docs" / "pipelines.md").read_text()
    paths = [ROOT / ".github" / "workflows" / f"{name}.yaml" for name in OURS]
    used = {name for path in paths for name in USED.findall(path.read_text())}
    assert used
    assert {name for name in used if f"`{name}`" not in text} == set()


def test_what_a_person_sets_for_on_demand_runners_is_written_down() -> None:
    text = (ROOT / "docs" / "runners.md").read_text()
    paths = [ROOT / ".github" / "workflows" / f"{name}.yaml" for name in RUNNERS]
    used = {name for path in paths for name in USED.findall(path.read_text())}
    assert {name for name in used if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("name", RUNNERS)
def test_a_launcher_acts_in_its_environment_with_the_code_of_its_own_commit(name: str) -> None:
    content = workflow(name)
    (job,) = content["jobs"].values()
    checkouts = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
    (token,) = [step["with"] for step in job["steps"] if "create-github-app-token" in step.get("uses", "")]

    assert list(content["on"]) == ["workflow_call"]
    assert job["environment"] == "runners"
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert checkouts[-1]["repository"] == "${{ job.workflow_repository }}"
    assert checkouts[-1]["ref"] == "${{ job.workflow_sha }}"
    assert {key: value for key, value in token.items() if key.startswith("permission-")} == {
        "permission-administration": "write",
        "permission-actions": "read",
    }
    # What somebody else wrote, and every secret, comes into a command through its environment.
    assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", ["stop-runner", "sweep-runners"])
def test_an_end_of_machines_is_never_cancelled_by_another(name: str) -> None:
    assert workflow(name)["concurrency"]["cancel-in-progress"] == "false"


def test_a_stop_of_one_cloud_does_not_wait_for_that_of_another() -> None:
    assert "inputs.clouds" in workflow("stop-runner")["concurrency"]["group"]


def test_a_sweep_takes_the_keys_of_people_from_the_default_branch() -> None:
    """What triggers a sweep may be a commit that nobody has looked at."""
    (job,) = workflow("sweep-runners")["jobs"].values()
    assert job["steps"][0]["with"]["ref"] == "${{ github.event.repository.default_branch }}"


def test_every_option_of_the_commands_in_workflows_is_there() -> None:
    for name in RUNNERS:
        (job,) = workflow(name)["jobs"].values()
        script = job["steps"][-1]["run"]
        verb = re.search(r"virtci runners (\w+)", script)
        assert verb
        parser = runner_parser(verb[1])
        known = {option for action in parser._actions for option in action.option_strings}
        assert set(re.findall(r"--[a-z-]+", script)) <= known


def test_the_example_calls_the_workflows_with_what_they_take() -> None:
    folder = ROOT / "virtci" / "rehearsal" / "pipeline" / "km" / ".github" / "workflows"
    calls = [job for path in folder.glob("*.yaml") for job in read(path)["jobs"].values() if "uses" in job]
    assert {Path(job["uses"].partition("@")[0]).stem for job in calls} == set(RUNNERS)
    for job in calls:
        declared = workflow(Path(job["uses"].partition("@")[0]).stem)["on"]["workflow_call"]["inputs"]
        required = {name for name, item in declared.items() if item.get("required") == "true"}
        assert required <= job.get("with", {}).keys() <= declared.keys()
        assert job["permissions"] == {"contents": "read", "id-token": "write"}


def test_the_example_ends_the_runners_of_each_cloud_after_its_own_jobs_whatever_happened() -> None:
    jobs = read(ROOT / "virtci/rehearsal/pipeline/km/.github/workflows/km-ci.yaml")["jobs"]
    for cloud, work in (("azure", "km-test"), ("ec2", "kkm-test-vms")):
        stop = jobs[f"stop-runner-{cloud}"]
        assert stop["needs"] == ["start-runners", work]
        assert stop["if"].startswith("always()")
        assert stop["with"]["clouds"] == cloud
        assert jobs[work]["runs-on"] == f"${{{{ fromJSON(needs.start-runners.outputs.run-ons).{cloud} }}}}"


def runner_parser(verb: str) -> argparse.ArgumentParser:
    """The parser of `virtci runners VERB`."""
    parser = argparse.ArgumentParser()
    runners.add_to(parser.add_subparsers())
    for name in ("runners", verb):
        (choice,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = choice.choices[name]
    return parser
