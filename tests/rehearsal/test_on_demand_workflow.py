"""The workflow of a repository with on-demand runners: real files, commands and engine, machines in the sandbox.

One story, because the stack's deployment takes longest: each claim goes on where the last one ended.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from tests.rehearsal.stage import stage
from virtci.core.boot_tags import Stage
from virtci.core.hypervisors import Hypervisor
from virtci.core.runners.clouds import Cloud
from virtci.rehearsal.boot import sandbox
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.on_demand.jobs import LOOK_SECONDS, Work
from virtci.rehearsal.on_demand.workflow import WORK, Push, User, user_of_runners
from virtci.rehearsal.pipeline import act
from virtci.rehearsal.pipeline.act import WorkflowRun
from virtci.rehearsal.world import read_stacks

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(act.unavailable()), reason=act.unavailable() or "act is there"),
    pytest.mark.skipif(bool(sandbox.unavailable()), reason=sandbox.unavailable() or "a sandbox can be had"),
]
BREAKS = Work(Cloud.AZURE, "echo the test failed; exit 1")
FIXED = Work(Cloud.AZURE, "echo passes this time")


def room_for_three(config: dict[str, Any]) -> None:
    config["virt-ci:runners"]["azure"]["regions"]["westus"]["cores"] = 16
    config["virt-ci:runners"]["aws"]["regions"]["us-east-2"]["vcpus"] = 16


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    folder = tmp_path_factory.mktemp("on-demand")
    with stage(folder, ("kontain",), edits={"kontain": room_for_three}) as on:
        on.up("kontain")
        settings = read_stacks(("kontain",), folder / "files")["kontain"]
        result = StackResult("kontain", settings, outputs=on.workspace.outputs("kontain"))
        with user_of_runners(on.world, on.workspace, result) as found:
            yield found
        assert on.workspace.destroy("kontain").succeeded
        assert on.world.remaining() == []


def said(run: WorkflowRun) -> list[tuple[str, str | None, str]]:
    """The jobs of a run with the end of what they printed."""
    return [(job.name, job.result, job.log[-2500:]) for job in run.jobs if job.result != "success"]


def results(run: WorkflowRun) -> dict[str, str | None]:
    return {job.name.split(" / ")[0]: job.result for job in run.jobs}


@dataclass
class Story:
    """The repository and its pushes, each of which happens when it is first asked for."""

    user: User

    @cached_property
    def green(self) -> Push:
        """A push whose jobs all succeed."""
        return self._pushed({})

    @cached_property
    def red(self) -> Push:
        """A push whose job in Azure fails."""
        return self._pushed({"km-test": BREAKS})

    def _pushed(self, work: Mapping[str, Work]) -> Push:
        push = self.user.push(work)
        push.run()
        return push


def a_run_gets_a_machine_in_each_cloud_and_leaves_nothing(story: Story) -> None:
    (run,) = story.green.attempts

    assert run.result == "success", said(run)
    assert story.user.left() == []
    boots = [boot.boot for boot in story.user.playing.boots]
    assert {(boot.stage, boot.hypervisor) for boot in boots if boot} == {
        (Stage.READY, Hypervisor.KVM),
        (Stage.READY, Hypervisor.EMULATION),
    }
    assert story.user.playing.troubles == []


def its_jobs_ran_on_the_machines_that_their_labels_name(story: Story) -> None:
    jobs = {job.name: job for job in story.green.machines.run.attempts[0]}
    for name, work in WORK.items():
        runner = jobs[name].runner
        assert runner
        assert jobs[name].labels == (runner.name,)
        assert runner.name.startswith(f"virt-ci-{work.cloud}-")


def people_read_what_was_started_and_what_it_costs(story: Story) -> None:
    (run,) = story.green.attempts

    assert "Standard_D4s_v5 in azure westus" in run.job("start-runners / start").summary
    assert "USD" in run.job("stop-runner-azure / stop").summary
    assert "azure-runner-KM-CI-Pipeline-1279" in run.job("stop-runner-azure / stop").summary


def no_secret_is_in_what_the_jobs_printed_or_asked(story: Story) -> None:
    for text in (str(story.green.rehearsal.calls()), *(job.log for job in story.green.attempts[0].jobs)):
        assert "rehearsal-key" not in text
        assert "eyJ" not in text


def what_failed_is_kept_and_holds_no_vcpu_and_the_other_cloud_is_clean(story: Story) -> None:
    run = story.red.attempts[0]

    assert results(run) == {
        "start-runners": "success", "km-test": "failure", "kkm-test-vms": "success",
        "stop-runner-azure": "success", "stop-runner-ec2": "success",
    }, said(run)  # fmt: skip
    assert kinds(story.user.left()) == ["snapshots"]


def a_sweep_lets_evidence_be(story: Story) -> None:
    run = story.user.sweep()

    assert results(run) == {"sweep": "success"}, said(run)
    assert kinds(story.user.left()) == ["snapshots"]


def failed_jobs_that_run_again_get_a_machine_under_the_label_they_wait_for(story: Story) -> None:
    swept: list[WorkflowRun] = []

    def sweep() -> None:
        while story.red.machines.run.attempts[-1] is story.red.machines.run.attempts[0]:
            time.sleep(LOOK_SECONDS)
        swept.append(story.user.sweep())

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    again = story.red.rerun_failed({"km-test": FIXED})
    sweeper.join()

    assert results(swept[0]) == {"sweep": "success"}, said(swept[0])
    assert results(again)["km-test"] == "success", said(again)
    assert again.result == "success", said(again)
    assert kinds(story.user.left()) == ["snapshots"]


CLAIMS = (
    a_run_gets_a_machine_in_each_cloud_and_leaves_nothing,
    its_jobs_ran_on_the_machines_that_their_labels_name,
    people_read_what_was_started_and_what_it_costs,
    no_secret_is_in_what_the_jobs_printed_or_asked,
    what_failed_is_kept_and_holds_no_vcpu_and_the_other_cloud_is_clean,
    a_sweep_lets_evidence_be,
    failed_jobs_that_run_again_get_a_machine_under_the_label_they_wait_for,
)


def test_a_workflow_gets_its_runners_and_gives_them_back(user: User, subtests: pytest.Subtests) -> None:
    story = Story(user)
    for claim in CLAIMS:
        with subtests.test(claim.__name__.replace("_", " ")):
            claim(story)


def kinds(left: list[str]) -> list[str]:
    """What kinds of things are left."""
    return [item.split("/")[-2] for item in left]
