"""What neither actionlint nor zizmor sees in the workflow files of the pipeline."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from virtci.core.environments import Environment
from virtci.core.pipeline import AROUND_SUITE_MINUTES, FIRST, PROMOTED
from virtci.places import ROOT
from virtci.rehearsal.pipeline.act import ACTIONS, USES
from virtci.rehearsal.pipeline.suite import TARGETS
from virtci.rehearsal.pipeline.workflows import Tree, Workflow, read

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yaml"))
REPOSITORY = "octo-lab/virt-ci"
STARTER = """
name: L1VH
on: push
jobs:
  pipeline:
    permissions: {contents: read, id-token: write, packages: write}
    uses: octo-lab/virt-ci/.github/workflows/kubevirt-pipeline.yaml@main
"""


@pytest.fixture(scope="module")
def pipeline() -> Workflow:
    return workflow("kubevirt-pipeline.yaml")


@pytest.fixture(scope="module")
def place() -> Workflow:
    return workflow("kubevirt-environment.yaml")


def workflow(file: str) -> Workflow:
    return read(file, (FOLDER / file).read_text(), REPOSITORY)


def steps(found: Workflow) -> Iterator[tuple[str, dict[str, Any]]]:
    for job in found.jobs.values():
        for step in job.body.get("steps", ()):
            yield job.id, step


def test_the_rights_that_the_pipeline_asks_for_are_those_that_its_head_names() -> None:
    library = {REPOSITORY: {path.name: path.read_text() for path in FILES}}

    Tree(read("l1vh.yaml", STARTER, REPOSITORY), library)

    words = "permissions: {contents: read, id-token: write, packages: write}"
    assert words in (FOLDER / "kubevirt-pipeline.yaml").read_text()


def test_everything_comes_after_what_it_relies_on(pipeline: Workflow) -> None:
    needed = {job.id: set(job.needs) for job in pipeline.jobs.values()}

    assert needed == {
        "plan": set(),
        "quality": {"plan"},
        "build": {"plan", "quality"},
        "dev": {"plan", "build"},
        "promote": {"build", "dev"},
        "environments": {"plan", "promote"},
        "verdict": {"plan", "quality", "build", "dev", "promote", "environments"},
    }


def test_only_the_build_builds_and_only_it_may_push(pipeline: Workflow, place: Workflow) -> None:
    building = {job for found in (pipeline, place) for job, step in steps(found) if "bazel-" in step.get("run", "")}
    pushing = [
        job.id
        for found in (pipeline, place)
        for job in found.jobs.values()
        if job.body.get("permissions", {}).get("packages") == "write"
    ]

    assert building == {"build"}
    assert pushing == ["build"]


def test_the_test_environments_get_the_promoted_release_and_dev_the_built_one(pipeline: Workflow) -> None:
    given = {name: pipeline.jobs[name].body["with"]["release"] for name in ("dev", "environments")}

    assert given == {
        "dev": "${{ needs.build.outputs.release }}",
        "environments": "${{ needs.promote.outputs.release }}",
    }


def test_no_environment_stops_another_one(pipeline: Workflow) -> None:
    strategy = pipeline.jobs["environments"].body["strategy"]

    assert strategy["fail-fast"] == "false"
    assert "max-parallel" not in strategy


def test_one_run_at_a_time_uses_an_environment_and_none_is_thrown_out(pipeline: Workflow) -> None:
    groups = {name: pipeline.jobs[name].body["concurrency"] for name in ("dev", "environments")}

    assert groups["dev"] == {"group": f"virt-ci-{FIRST}", "cancel-in-progress": "false"}
    assert groups["environments"] == {"group": "virt-ci-${{ matrix.environment }}", "cancel-in-progress": "false"}
    assert {FIRST, *PROMOTED} == set(Environment)


def test_a_fork_reaches_no_runner_of_our_own(pipeline: Workflow) -> None:
    assert "head.repo.full_name == github.repository" in pipeline.jobs["plan"].body["if"]
    for job in pipeline.jobs.values():
        if job.id not in ("plan", "verdict"):
            assert "if" not in job.body, "a condition of its own could start it though `plan` was skipped"
            assert "plan" in {*job.needs, *(other for name in job.needs for other in pipeline.jobs[name].needs)}
    assert pipeline.jobs["verdict"].body["runs-on"] == "ubuntu-24.04"


def test_the_last_job_of_an_environment_does_each_step_whatever_happened(place: Workflow) -> None:
    close = place.jobs["close"]

    assert close.body["if"] == "always()"
    assert [step["name"] for step in close.body["steps"] if not step["if"].startswith("always()")] == []


def test_whoever_wakes_an_environment_says_so_before_it_can_fail(place: Workflow) -> None:
    for name in ("deploy", "test"):
        wake = next(step for job, step in steps(place) if job == name and step.get("id") == "wake")
        lines = [line.strip() for line in wake["run"].splitlines() if not line.strip().startswith("#")]
        assert lines[0] == 'echo "woken=unknown" >> "$GITHUB_OUTPUT"'
        assert place.jobs[name].body["outputs"]["woken"] == "${{ steps.wake.outputs.woken }}"
    park = next(step for _, step in steps(place) if step["name"] == "park")
    assert park["if"].count("unknown") == 2


def test_code_under_test_never_sees_the_account_of_the_deployment(place: Workflow) -> None:
    names = [step["name"] for job, step in steps(place) if job == "test"]
    exported = [step["name"] for job, step in steps(place) if job == "test" and "KUBECONFIG=" in step.get("run", "")]

    assert exported == ["get the tests' kubeconfig"]
    assert names.index("take the lease") < names.index("get the tests' kubeconfig") < names.index("run the suite")
    lease = next(step for job, step in steps(place) if job == "test" and step["name"] == "take the lease")
    assert 'rm "$RUNNER_TEMP/kubeconfig"' in lease["run"]


def test_the_benchmark_comes_after_the_suite_and_makes_nothing_red(place: Workflow) -> None:
    found = [step for job, step in steps(place) if job == "test"]
    names = [step["name"] for step in found]
    benchmark = found[names.index("benchmark")]

    assert names.index("run the suite") < names.index("read the results") < names.index("benchmark")
    assert benchmark["if"] == "inputs.benchmark != ''"
    assert benchmark["continue-on-error"] == "true"
    assert int(benchmark["timeout-minutes"]) < AROUND_SUITE_MINUTES


def test_every_environment_gets_the_disk_of_the_benchmark(pipeline: Workflow) -> None:
    given = {name: job.body["with"]["benchmark"] for name, job in pipeline.jobs.items() if job.uses}

    assert given == dict.fromkeys(("dev", "environments"), "${{ inputs.benchmark }}")


def test_every_artifact_may_be_written_again_by_the_next_attempt(pipeline: Workflow, place: Workflow) -> None:
    uploads = [
        step for found in (pipeline, place) for _, step in steps(found) if "upload-artifact" in step.get("uses", "")
    ]

    assert uploads
    assert [step["name"] for step in uploads if step["with"].get("overwrite") != "true"] == []


def test_the_rehearsal_knows_every_target_that_is_made(pipeline: Workflow, place: Workflow) -> None:
    made = {
        target
        for found in (pipeline, place)
        for _, step in steps(found)
        for words in re.findall(r"^\s*make (.+)$", step.get("run", ""), re.MULTILINE)
        for target in words.split()
    }

    assert made == set(TARGETS)


def test_one_version_of_an_action_is_used_everywhere_and_has_a_stand_in() -> None:
    texts = [path.read_text() for path in ROOT.glob(".github/**/*.yaml")]
    used = {found for text in texts for found in USES.findall(text)}

    assert len({name for name, _ in used}) == len(used)
    assert [name for name, _ in used if not (ACTIONS / name / "action.yaml").exists()] == []


def test_the_inputs_of_stand_ins_are_those_that_the_workflows_give() -> None:
    for path in ROOT.glob(".github/**/*.yaml"):
        content = yaml.safe_load(path.read_text()) or {}
        jobs = [*content.get("jobs", {}).values(), content.get("runs", {})]
        for step in (step for job in jobs for step in job.get("steps", ())):
            found = USES.match(f"uses: {step.get('uses', '')}")
            if found:
                action = yaml.safe_load((ACTIONS / found[1] / "action.yaml").read_text())
                assert set(step.get("with", {})) <= set(action["inputs"]), f"{path.name}: {step['name']}"
