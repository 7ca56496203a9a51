"""The workflows of this repository, run by act with the real engine against simulated clouds."""

import json
from pathlib import Path

import pytest

from tests.workflows.stage import (
    COMMIT,
    SLUG,
    Stage,
    committed,
    rehearse_only,
    small_hub,
    small_test,
    stage,
    unattended,
    variables,
)
from virtci.fleet.drift import LABEL
from virtci.fleet.publishing import LARGEST
from virtci.outputs.check import read
from virtci.outputs.contract import VARIABLE
from virtci.rehearsal.pipeline.act import WorkflowRun, unavailable

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "act is there"),
]
USER = "fleet-org/kubevirt"
"""The repository whose jobs use the environments."""
PREVIEWS = ("preview hub-1", "preview dev-2", "preview test-3")
"""As act calls the entries of the matrix."""
PREVIEWING, UPDATING = "Previewing update (", "Updating ("
"""How the engine begins."""
RUNNER = (
    "/subscriptions/12345678-1234-4234-8234-0000000000a1/resourceGroups/kubevirt-rg"
    "/providers/Microsoft.Compute/virtualMachines/kubevirt-gh-actions-runner-1"
)


def writes(found: Stage) -> int:
    """How often something in Azure or in GitHub's environments was changed."""
    calls = found.world.journal.calls
    return sum(call.operation != "GET" and "/issues" not in call.target for call in calls)


def logins(found: Stage) -> set[str]:
    """The identities that the last run logged in as."""
    return {call["inputs"]["client-id"] for call in found.runs[-1].calls() if call["action"] == "azure/login"}


def set_tags(found: Stage, **tags: str) -> None:
    """Changes tags of the runner behind the program's back."""
    body = {"operation": "Merge", "properties": {"tags": tags}}
    answer = found.world.azure.request("PATCH", f"{RUNNER}/providers/Microsoft.Resources/tags/default", body)
    assert answer.status == 200, answer.body


def test_the_fleet_is_deployed_reviewed_and_checked_for_drift(tmp_path: Path) -> None:
    with stage(tmp_path, {"hub": small_hub, "test": small_test}) as found:
        deployed(found)
        reviewed(found)
        stopped(found)
        checked(found)
    nothing_leaked(found)


def deployed(found: Stage) -> None:
    """A push deploys hub, dev and test one after the other, each after its own preview."""
    run = found.push()

    assert run.result == "success", told(run)
    started = [(job.name, job.started) for job in run.jobs]
    assert started == [("hub", 1), ("dev", 2), ("test", 3), ("publish", 4), ("runners", 0)]
    assert logins(found) == {variables(found.environment)["DEPLOY_CLIENT_ID"]}
    for stack in ("hub", "dev", "test"):
        outputs = json.loads((found.artifacts() / f"outputs-{stack}" / f"{stack}.json").read_text())
        assert read(outputs).stack == stack
        assert run.job(stack).summary.startswith("| stack | verdict |")
        assert run.job(stack).log.index(PREVIEWING) < run.job(stack).log.index(UPDATING)
    published(found)


def published(found: Stage) -> None:
    """The repository that uses the fleet has the outputs of all stacks."""
    variable = found.github.get(f"/repos/{USER}/actions/variables/{VARIABLE}").json()["value"]
    assert [read(item).stack for item in json.loads(variable)] == ["dev", "hub", "test"]
    assert len(variable.encode()) < LARGEST / 2


def reviewed(found: Stage) -> None:
    """A pull request gets one comment; the next push edits it, and a mandatory violation makes it red."""
    number = int(found.github.post(f"/repos/{SLUG}/issues", json={"title": "a change"}).json()["number"])
    before = writes(found)
    found.edit("hub", lambda config: config["virt-ci:hub"].update(logRetentionDays=60))

    good = found.pull_request(number)

    assert good.result == "success", told(good)
    assert logins(found) == {variables(found.environment)["PREVIEW_CLIENT_ID"]}
    assert "actions/create-github-app-token" not in found.actions()
    (first,) = found.comments(number)
    assert first.startswith("<!-- virt-ci:preview -->\n### Preview: good, changes hub\n")
    assert "`retentionInDays`: `30` → `60`" in first
    assert f"Commit {COMMIT[:12]}, [run](https://github.com/{SLUG}/actions/runs/2)." in first

    found.edit_policies("hub", lambda config: config.update({"regions-allowed": {"allowed": ["eastus"]}}))
    red = found.pull_request(number)

    assert red.result == "failure"
    assert {name: red.job(name).step("preview").result for name in PREVIEWS} == {
        PREVIEWS[0]: "failure",
        PREVIEWS[1]: "success",
        PREVIEWS[2]: "success",
    }
    assert red.job("comment").step("comment").result == "failure"
    (second,) = found.comments(number)
    assert second.startswith("<!-- virt-ci:preview -->\n### Preview: stopped by hub\n")
    assert "**mandatory** `regions-allowed`" in second
    assert writes(found) == before


def stopped(found: Stage) -> None:
    """A push that breaks a mandatory policy deploys nothing, and no stack after the red one."""
    before = writes(found)

    run = found.push()

    assert [(job.name, job.result) for job in run.jobs] == [
        ("hub", "failure"),
        ("dev", "skipped"),
        ("test", "skipped"),
        ("runners", "skipped"),
        ("publish", "skipped"),
    ]
    assert UPDATING not in run.job("hub").log
    assert "regions-allowed" in run.job("hub").summary
    assert writes(found) == before
    found.edit_policies("hub", lambda config: config.update({"regions-allowed": {"allowed": ["westus"]}}))
    found.edit("hub", lambda config: config["virt-ci:hub"].pop("logRetentionDays"))


def checked(found: Stage) -> None:
    """What somebody changes by hand becomes one issue, which the next checks update and close."""
    set_tags(found, owner="somebody", bootstage="ready")
    before = writes(found)

    first = found.check_for_drift()

    assert first.result == "success", told(first)
    assert logins(found) == {variables(found.environment)["PREVIEW_CLIENT_ID"]}
    (issue,) = found.issues(LABEL)
    assert "`tags.owner` | `kubevirt-ci` | `somebody` |" in issue["body"]
    assert "bootstage" not in issue["body"]
    assert issue["body"].count("As declared.") == 2
    assert writes(found) == before

    set_tags(found, owner="somebody-else")
    found.check_for_drift()
    (same,) = found.issues(LABEL)
    assert (same["number"], same["state"]) == (issue["number"], "open")
    assert "`somebody-else`" in same["body"]

    set_tags(found, owner="kubevirt-ci")
    found.check_for_drift()
    (closed,) = found.issues(LABEL)
    assert (closed["number"], closed["state"], closed["comments"]) == (issue["number"], "closed", 1)


def nothing_leaked(found: Stage) -> None:
    """No run shows a private key or a stored secret, and none keeps an event log."""
    for run in found.runs:
        texts = {path: path.read_text(errors="replace") for path in run.folder.rglob("*") if is_told(path)}
        assert texts
        for path, text in texts.items():
            assert "PRIVATE KEY-----" not in text, path
            assert "rehearsal-key" not in text, path
        assert not list(run.folder.rglob("events.jsonl"))


def is_told(path: Path) -> bool:
    """Whether a file is what a run printed, kept or asked of actions."""
    return path.is_file() and ("artifacts" in path.parts or path.suffix == ".jsonl")


def test_a_pull_request_of_a_fork_is_rehearsed_without_any_login(tmp_path: Path) -> None:
    source = committed(tmp_path / "source", {})
    rehearse_only(source, "$(VIRTCI) check --rehearsal hub")

    rehearsal, run = unattended(tmp_path, source, "preview.yaml", head="somebody/virt-ci")

    assert results(run) == {"rehearse": "success", "preview": "skipped", "comment": "skipped"}, told(run)
    assert [call["action"] for call in rehearsal.calls()] == ["actions/checkout"]
    assert "Pulumi.hub.yaml: good" in run.job("rehearse").summary


def test_a_repository_that_is_not_set_up_rehearses_and_touches_nothing(tmp_path: Path) -> None:
    source = committed(tmp_path / "source", {})
    rehearse_only(source, "echo rehearsed")
    known = {
        "preview.yaml": {"rehearse": "success", "preview": "skipped", "comment": "skipped"},
        "deploy.yaml": dict.fromkeys(("hub", "dev", "test", "runners", "publish"), "skipped"),
        "drift.yaml": {"check": "skipped", "issue": "skipped"},
    }

    for file, expected in known.items():
        rehearsal, run = unattended(tmp_path, source, file, set_up=False)
        assert results(run) == expected, told(run)
        assert {call["action"] for call in rehearsal.calls()} <= {"actions/checkout"}


def test_a_rehearsal_that_fails_is_red_and_shown(tmp_path: Path) -> None:
    source = committed(tmp_path / "source", {})
    rehearse_only(source, "echo broken contract; exit 4")

    _, run = unattended(tmp_path, source, "preview.yaml", head="somebody/virt-ci")

    assert run.job("rehearse").result == "failure"
    assert "broken contract" in run.job("rehearse").summary


def results(run: WorkflowRun) -> dict[str, str]:
    """What became of each job, by the first word of its name."""
    return {job.name.split()[0]: str(job.result) for job in run.jobs}


def told(run: WorkflowRun) -> list[str]:
    """The end of what each job printed."""
    return [job.log[-2000:] for job in run.jobs]
