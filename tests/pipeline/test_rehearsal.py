"""The pipeline as a whole: real workflow files and commands, real clusters, a simulated Azure, a stand-in for the engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline.world import CLIENTS, REASON, World
from virtci.core.environments import Environment
from virtci.core.pipeline import FROM_FORK, PROMOTED, Ending
from virtci.rehearsal.pipeline.rehearse import PipelineRun, at_step, rehearse_pipeline, rehearsed_pipeline
from virtci.rehearsal.pipeline.suite import PUSHED, Scenario
from virtci.settings.release import read_release, release_digest

DEV, KVM, MSHV, EMULATION = Environment.DEV, Environment.TEST_KVM, Environment.TEST_MSHV, Environment.TEST_EMULATION
DISK = f"registry.example/cirros@sha256:{'0' * 64}"
pytestmark = [pytest.mark.cluster, pytest.mark.program("act", "label-filter")]


def endings(run: PipelineRun) -> dict[Environment, Ending]:
    return {item: result.ending for item, result in run.results.items()}


def built(run: PipelineRun) -> str:
    """The digest of the release that the run built, from its own files."""
    return release_digest(run.artifacts / "release")


def test_one_red_environment_leaves_the_others_alone_and_is_run_again_alone(world: World, tmp_path: Path) -> None:
    world.park(EMULATION)

    with rehearsed_pipeline(tmp_path, replace(world.stage, benchmark=DISK)) as pipeline:
        first = pipeline.run(Scenario(red=(EMULATION,)))
        left = {item: (world.deployed(item), world.holder(item), world.power(item)) for item in Environment}
        second = pipeline.rerun_failed()

    # Every environment got the one release, whose images were pushed once and are named by digest.
    assert endings(first) == {
        DEV: Ending.PASSED, KVM: Ending.PASSED, MSHV: Ending.SKIPPED, EMULATION: Ending.FAILED,
    }  # fmt: skip
    assert {item: found[0] for item, found in left.items()} == {item: [built(first)] for item in Environment}
    assert len(first.pushes) == len(PUSHED)
    assert {push.digest for push in first.pushes} >= set(read_release(first.artifacts / "release").images.values())
    # What was woken is parked again, what was on stays on, nobody has a lease.
    assert {item: found[1:] for item, found in left.items()} == {
        item: ("", "deallocated" if item is EMULATION else "running") for item in Environment
    }
    # The others went on, the tests that are off are skipped with their reason, the verdict is red.
    assert first.job("test-mshv / test").result == "skipped"
    assert REASON in first.job("test-mshv / deploy").summary
    assert first.job("verdict").result == "failure"
    assert "1 of 4 tests failed" in first.job("verdict").summary
    # The benchmark ran where the suite was green; without a Prometheus it measures nothing, is named and makes nothing red.
    assert [first.job(f"{item} / test").step("benchmark").result for item in (DEV, KVM)] == ["failure", "failure"]
    assert [first.job(f"{item} / test").result for item in (DEV, KVM)] == ["success", "success"]
    assert "ConfigMap virt-ci/prometheus" in first.job("dev / test").step("benchmark").log
    assert second.job("verdict").summary.count("not measured") == len(Environment)
    assert second.job("verdict").step("compare with KVM").result == "success"
    # The stages came in order.
    assert starts(first) == sorted(starts(first))
    # Every job acted as the identity of its own environment.
    logins = {call["inputs"]["client-id"] for call in first.actions if call["action"] == "azure/login"}
    assert logins == set(CLIENTS.values())
    # The second attempt wakes the machine for the tests alone, with the release of the first.
    assert [job.name for job in second.jobs if not job.kept] == [
        f"pipeline / {name}" for name in ("test-emulation / test", "test-emulation / close", "verdict")
    ]
    assert second.workflow.result == "success"
    assert second.results[EMULATION].ending is Ending.PASSED
    assert second.results[EMULATION].release == built(first)
    assert len(second.pushes) == len(PUSHED)
    assert world.power(EMULATION) == "deallocated"
    assert world.last_test(EMULATION)["result"] == "passed"
    assert not any(world.machines(item) for item in Environment)


def starts(run: PipelineRun) -> list[int]:
    names = ("plan", "quality", "build", "dev / deploy", "dev / test", "dev / close", "promote", "test-kvm / deploy")
    return [run.job(name).started for name in names]


def test_nothing_is_promoted_after_a_red_dev(world: World, tmp_path: Path) -> None:
    run = rehearse_pipeline(tmp_path, world.stage, Scenario(red=(DEV,)))

    assert endings(run) == {DEV: Ending.FAILED}
    assert [run.job(name).result for name in ("promote", "environments")] == ["skipped", "skipped"]
    assert not any(world.deployed(item) for item in PROMOTED)
    assert run.job("verdict").result == "failure"
    assert run.job("verdict").summary.count("not promoted") == len(PROMOTED)
    # Nobody asked for a benchmark.
    steps = [step.name for job in run.jobs for step in job.steps.values()]
    assert not {"benchmark", "keep the measurement", "compare with KVM"} & {*steps}
    # Only the two new tests were for `dev`.
    assert (run.results[DEV].passed, run.results[DEV].failed, run.results[DEV].skipped) == (1, 1, 5)
    assert world.last_test(DEV)["result"] == "failed"
    assert world.holder(DEV) == ""


def test_a_cancelled_run_gives_the_lease_back_and_parks_what_it_woke(world: World, tmp_path: Path) -> None:
    world.park(DEV)
    scenario = Scenario(slow={DEV.value: 600})

    run = rehearse_pipeline(tmp_path, world.stage, scenario, at_step("dev / test", "run the suite"))

    assert run.job("dev / test").result == "cancelled"
    assert run.job("dev / close").result == "success"
    assert endings(run) == {DEV: Ending.CANCELLED}
    assert world.power(DEV) == "deallocated"
    assert world.holder(DEV) == ""
    assert world.last_test(DEV)["result"] == "cancelled"
    assert not any(world.deployed(item) for item in PROMOTED)


def test_a_pull_request_from_a_fork_reaches_nothing(world: World, tmp_path: Path) -> None:
    with rehearsed_pipeline(tmp_path, world.stage, fork="somebody/kubevirt") as pipeline:
        run = pipeline.run()

    assert [job.name for job in run.jobs if job.started] == ["pipeline / verdict"]
    assert run.job("verdict").result == "failure"
    assert FROM_FORK in run.job("verdict").summary
    assert not run.pushes


def test_a_broken_build_reaches_no_environment(world: World, tmp_path: Path) -> None:
    run = rehearse_pipeline(tmp_path, world.stage, Scenario(broken=("bazel-push-images",)))

    assert run.job("dev").result == "skipped"
    assert not run.results
    assert "not started" in run.job("verdict").summary
