"""From nothing to a promoted release: every stack, every boot, every cluster and the pipeline, in one rehearsal.

One test with many claims: the run takes minutes, and tests of one module may be spread over processes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from virtci.cli.rehearse import READS
from virtci.core.boot_tags import Stage
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.boot import sandbox
from virtci.rehearsal.conductor import Conductor, StackResult
from virtci.rehearsal.delivery import Delivered, deliver
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Workspace
from virtci.rehearsal.environments import Before
from virtci.rehearsal.journal import FaultPlan
from virtci.rehearsal.pipeline import act
from virtci.rehearsal.pipeline.rehearse import PipelineRun
from virtci.rehearsal.report.page import render
from virtci.rehearsal.report.pipelines import pipeline_of_kubevirt
from virtci.rehearsal.world import read_stacks, world

pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.program("act", "kubectl"),
]
MACHINES = (Environment.DEV, Environment.TEST_MSHV, Environment.TEST_EMULATION)


@dataclass(frozen=True)
class Everything:
    """What one rehearsal showed."""

    results: dict[str, StackResult]
    delivered: Delivered
    expiries: dict[Environment, bool]
    calls: str

    def before(self, environment: Environment) -> Before:
        found = self.results[f"{environment}-kubevirt"].before
        assert found
        return found

    @property
    def run(self) -> PipelineRun:
        assert self.delivered.run, self.delivered.skipped
        return self.delivered.run


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    if reason := sandbox.unavailable() or act.unavailable():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("everything")
    with world(read_stacks(tuple(READS)), FaultPlan()) as simulated:
        workspace = Workspace(folder, simulated.servers.environment, own=simulated.own_environments)
        conductor = Conductor(workspace, simulated, read_stacks(tuple(READS)), lambda *_: None)
        conductor.build()
        assert [result.ending for result in conductor.results] == [Ending.GOOD] * len(READS), trouble(conductor)
        delivered = deliver(simulated, workspace, conductor.results)
        expiries = {
            item: held(simulated.azure, "kubevirtkv", f"{item}-kubeconfig")[-1].attributes.get("exp") is not None
            for item in MACHINES
        }
        simulated.journal.write(folder / "calls.jsonl")
        calls = (folder / "calls.jsonl").read_text()
        yield Everything({item.name: item for item in conductor.results}, delivered, expiries, calls)


def trouble(conductor: Conductor) -> list[str]:
    return [error for result in conductor.results for run in result.runs.values() for error in run.errors]


def first_runner_of_the_hub_takes_jobs(everything: Everything) -> None:
    runner = everything.results["hub"].runner

    assert runner
    assert runner.takes_jobs


def machines_boot_and_publish_kubeconfigs_that_expire(everything: Everything) -> None:
    for environment in MACHINES:
        boot = everything.before(environment).boot
        assert boot
        assert boot.boot
        assert boot.boot.stage is Stage.READY
        assert everything.expiries[environment]


def machine_without_the_device_is_named_and_its_gate_stays_off(everything: Everything) -> None:
    before = everything.before(Environment.TEST_MSHV)
    contents = everything.results["test-mshv-kubevirt"].outputs["kubevirt"]

    assert before.boot
    assert before.boot.boot
    assert "/dev/mshv" in before.boot.boot.reason
    assert (contents["gateDeclared"], contents["gate"], contents["fallback"]) == ("HyperVL1VH", "off", True)
    assert "test-mshv-node-0" in contents["reason"]


def gate_is_on_where_every_node_has_the_device(everything: Everything) -> None:
    contents = everything.results["dev-kubevirt"].outputs["kubevirt"]

    assert (contents["gate"], contents["fallback"], contents["hypervisor"]) == ("HyperVL1VH", False, Hypervisor.MSHV)


def pipeline_is_green(everything: Everything) -> None:
    assert everything.run.workflow.result == "success", [
        (line.name, line.remark, line.said) for line in pipeline_of_kubevirt(everything.delivered).jobs if line.said
    ]


def pipeline_deploys_dev_before_anything_is_promoted(everything: Everything) -> None:
    started = {job.name.removeprefix("pipeline / "): job.started for job in everything.run.jobs if job.started}

    assert started["build"] < started["dev / deploy"] < started["dev / test"] < started["promote"]
    for name in ("test-mshv", "test-kvm", "test-emulation"):
        assert started["promote"] < started[f"{name} / deploy"]


def every_environment_gets_the_release_that_dev_got(everything: Everything) -> None:
    results = everything.run.results

    assert set(results) == set(Environment)
    assert len({result.release for result in results.values()}) == 1
    assert len({push.digest for push in everything.run.pushes if push.name.endswith("/virt-operator")}) == 1


def switched_off_tests_are_skipped_with_their_reason(everything: Everything) -> None:
    assert everything.run.job("test-mshv / test").result == "skipped"
    assert "/dev/mshv" in everything.run.results[Environment.TEST_MSHV].reason


def what_the_pipeline_woke_booted_again_and_is_parked(everything: Everything) -> None:
    woken = {boot.machine for boot in everything.delivered.boots if boot.succeeded}
    parked = [line for line in map(json.loads, everything.calls.splitlines()) if "deallocate" in line["target"]]

    assert len(woken) == len(MACHINES)
    assert len(parked) >= 2 * len(MACHINES)


def no_token_stands_in_the_log_of_calls(everything: Everything) -> None:
    assert "eyJ" not in everything.calls
    assert not any("PRIVATE KEY" in job.log for job in everything.run.jobs)


def report_shows_environments_and_pipeline(everything: Everything) -> None:
    text = render(list(everything.results.values()), (), [pipeline_of_kubevirt(everything.delivered)])

    assert "test-mshv" in text
    assert "declared mshv" in text
    assert "dev / deploy" in text


CLAIMS = (
    first_runner_of_the_hub_takes_jobs,
    machines_boot_and_publish_kubeconfigs_that_expire,
    machine_without_the_device_is_named_and_its_gate_stays_off,
    gate_is_on_where_every_node_has_the_device,
    pipeline_is_green,
    pipeline_deploys_dev_before_anything_is_promoted,
    every_environment_gets_the_release_that_dev_got,
    switched_off_tests_are_skipped_with_their_reason,
    what_the_pipeline_woke_booted_again_and_is_parked,
    no_token_stands_in_the_log_of_calls,
    report_shows_environments_and_pipeline,
)


def test_rehearsal_goes_from_nothing_to_a_promoted_release(everything: Everything, subtests: pytest.Subtests) -> None:
    for claim in CLAIMS:
        with subtests.test(claim.__name__.replace("_", " ")):
            claim(everything)
