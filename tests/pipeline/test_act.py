"""The harness around act: what it adds to act, and what GitHub would refuse."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from virtci.core.problems import ProblemsError, Refusal
from virtci.rehearsal.pipeline.act import Interrupt, Origin, Rehearsal, Repository, WorkflowRun
from virtci.rehearsal.pipeline.log import Entry

pytestmark = pytest.mark.program("act")

CALLER, LIBRARY = "octo-lab/app", "octo-lab/library"
COMMIT = "1" * 40
IDENTITY = "00000000-0000-0000-0000-00000000000{}"
LOGIN = "azure/login@f5d393ae46f8fde4be8b75f32e3fc50e654ad0ca"
APP = f"""
name: app
on: push
permissions: {{contents: read, id-token: write}}
jobs:
  run:
    uses: {LIBRARY}/.github/workflows/stages.yaml@{COMMIT}
"""
STAGES = """
name: stages
on: {workflow_call: {}}
jobs:
  plan:
    runs-on: ubuntu-24.04
    outputs: {matrix: "${{ steps.plan.outputs.matrix }}"}
    steps:
      - {id: plan, run: 'echo "matrix={\\"include\\": [{\\"name\\": \\"a\\"}, {\\"name\\": \\"b\\"}]}" >> "$GITHUB_OUTPUT"'}
  first:
    needs: plan
    uses: ./.github/workflows/place.yaml
    with: {place: first}
  others:
    name: ${{ matrix.name }}
    needs: [plan, first]
    strategy: {fail-fast: false, matrix: "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    uses: ./.github/workflows/place.yaml
    with: {place: "${{ matrix.name }}"}
  verdict:
    needs: [first, others]
    if: always()
    runs-on: ubuntu-24.04
    steps:
      - {name: tell, run: 'echo "$RESULTS"', env: {RESULTS: "${{ needs.first.result }} ${{ needs.others.result }}"}}
"""
PLACE = f"""
name: place
on: {{workflow_call: {{inputs: {{place: {{type: string, required: true}}}}}}}}
jobs:
  deploy:
    runs-on: [self-hosted, q]
    environment: ${{{{ inputs.place }}}}
    outputs: {{seen: "${{{{ steps.look.outputs.seen }}}}"}}
    steps:
      - uses: {LOGIN}
        with: {{client-id: "${{{{ vars.CLIENT }}}}", tenant-id: "{IDENTITY.format(8)}", subscription-id: "{IDENTITY.format(9)}"}}
      - id: look
        run: |
          echo "seen=${{{{ vars.CLIENT }}}} ${{{{ vars.SHARED }}}} ${{{{ job.workflow_repository }}}} ${{{{ job.workflow_sha }}}}" >> "$GITHUB_OUTPUT"
          echo "### ${{{{ inputs.place }}}}" >> "$GITHUB_STEP_SUMMARY"
  test:
    needs: deploy
    runs-on: [self-hosted, q]
    outputs: {{mark: "${{{{ steps.suite.outputs.mark }}}}"}}
    steps:
      - {{id: suite, name: suite, run: 'echo "mark=set" >> "$GITHUB_OUTPUT"; echo begun; test ! -e "$RED/$PLACE"; sleep "$(cat "$RED/slow" 2>/dev/null || echo 0)"', env: {{PLACE: "${{{{ inputs.place }}}}"}}}}
      - {{name: tidy, if: always(), run: echo tidied}}
  close:
    needs: [deploy, test]
    if: always()
    runs-on: [self-hosted, q]
    steps:
      - {{name: tell, run: 'echo "$SEEN, $MARK, $RESULT"', env: {{SEEN: "${{{{ needs.deploy.outputs.seen }}}}", MARK: "${{{{ needs.test.outputs.mark }}}}", RESULT: "${{{{ needs.test.result }}}}"}}}}
"""


class Laboratory:
    """Two repositories: one with a workflow, one with those that it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.red = folder / "red"
        self.red.mkdir()
        self.write(CALLER, "app.yaml", APP)
        self.write(LIBRARY, "stages.yaml", STAGES)
        self.write(LIBRARY, "place.yaml", PLACE)
        self.environments = {
            name: {"CLIENT": IDENTITY.format(number)} for number, name in enumerate(("first", "a", "b"))
        }

    def write(self, repository: str, name: str, text: str) -> None:
        target = self.folder / repository / ".github" / "workflows" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def replace(self, repository: str, name: str, old: str, new: str) -> None:
        file = self.folder / repository / ".github" / "workflows" / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def rehearsal(self, logins: Mapping[str, Path] | None = None) -> Rehearsal:
        origin = Origin(
            repository=CALLER, environments=self.environments, variables={"SHARED": "all", "CLIENT": "none"}
        )
        repositories = {name: Repository(folder=self.folder / name, commit=COMMIT) for name in (CALLER, LIBRARY)}
        return Rehearsal(self.folder / "run", origin, repositories, {"RED": str(self.red)}, logins)

    def run(self, interrupt: Interrupt | None = None) -> WorkflowRun:
        return self.rehearsal().run("app.yaml", interrupt=interrupt)


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)


def order(run: WorkflowRun, *names: str) -> list[int]:
    return [run.job(name).started for name in names]


def test_stages_run_in_the_order_of_their_needs(laboratory: Laboratory) -> None:
    run = laboratory.run()

    assert run.result == "success"
    assert run.processes == 1
    path = order(run, "plan", "first / deploy", "first / test", "first / close", "a / deploy", "a / test", "verdict")
    assert path == sorted(path)
    assert len(run.jobs) == 11
    assert run.job("verdict").log == "success success"


def test_a_job_sees_the_variables_of_its_environment_and_its_own_commit(laboratory: Laboratory) -> None:
    run = laboratory.run()

    seen = {name: run.job(f"{name} / deploy").outputs["seen"] for name in ("first", "a", "b")}
    assert seen == {
        name: f"{laboratory.environments[name]['CLIENT']} all {LIBRARY} {COMMIT}" for name in ("first", "a", "b")
    }
    assert run.job("a / deploy").summary == "### a\n"


def test_jobs_that_always_run_do_so_after_a_red_workflow(laboratory: Laboratory) -> None:
    (laboratory.red / "b").touch()

    run = laboratory.run()

    assert run.failed() == ["run / b / test"]
    assert run.job("b / close").log.endswith(", set, failure")
    assert run.job("a / test").result == "success"
    assert run.job("verdict").log == "success failure"


def test_what_needs_a_red_workflow_does_not_start(laboratory: Laboratory) -> None:
    (laboratory.red / "first").touch()

    run = laboratory.run()

    assert run.result == "failure"
    assert run.job("others").result == "skipped"
    assert run.job("verdict").log == "failure skipped"


def test_a_rerun_takes_only_what_failed_and_what_needs_it(laboratory: Laboratory) -> None:
    (laboratory.red / "b").touch()
    rehearsal = laboratory.rehearsal()
    first = rehearsal.run("app.yaml")
    (laboratory.red / "b").unlink()

    second = rehearsal.rerun_failed("app.yaml", first)

    ran = [job.name for job in second.jobs if not job.kept]
    assert ran == ["run / b / test", "run / b / close", "run / verdict"]
    assert second.result == "success"
    assert second.job("b / close").log.startswith(laboratory.environments["b"]["CLIENT"])
    assert second.job("verdict").log == "success success"


def test_a_rerun_of_an_early_stage_goes_on_with_the_stages_after_it(laboratory: Laboratory) -> None:
    (laboratory.red / "first").touch()
    rehearsal = laboratory.rehearsal()
    first = rehearsal.run("app.yaml")
    (laboratory.red / "first").unlink()

    second = rehearsal.rerun_failed("app.yaml", first)

    assert [job.name for job in second.jobs if job.kept] == ["run / plan", "run / first / deploy"]
    assert second.job("a / close").result == "success"
    assert second.result == "success"


def test_a_rerun_that_fails_again_can_be_run_again(laboratory: Laboratory) -> None:
    for name in ("a", "b"):
        (laboratory.red / name).touch()
    rehearsal = laboratory.rehearsal()
    first = rehearsal.run("app.yaml")
    (laboratory.red / "a").unlink()

    second = rehearsal.rerun_failed("app.yaml", first)
    (laboratory.red / "b").unlink()
    third = rehearsal.rerun_failed("app.yaml", second)

    assert second.failed() == ["run / b / test"]
    assert [job.name for job in third.jobs if not job.kept] == ["run / b / test", "run / b / close", "run / verdict"]
    assert third.result == "success"


def suite_began(entry: Entry) -> bool:
    return entry.job == ("run", "first", "test") and entry.message == "begun"


def test_a_cancelled_run_tidies_up_and_starts_nothing_else(laboratory: Laboratory) -> None:
    (laboratory.red / "slow").write_text("600")

    run = laboratory.run(suite_began)

    assert run.result == "cancelled"
    assert run.seconds < 300
    assert run.job("first / test").result == "cancelled"
    assert run.job("first / test").step("tidy").log == "tidied"
    assert run.job("first / close").log.endswith(", set, cancelled")
    assert run.job("verdict").log == "cancelled cancelled"
    assert run.job("others").started == 0


def test_a_called_job_gets_no_more_rights_than_its_caller(laboratory: Laboratory) -> None:
    laboratory.replace(CALLER, "app.yaml", "id-token: write", "id-token: none")
    laboratory.replace(LIBRARY, "place.yaml", "  deploy:\n", "  deploy:\n    permissions: {id-token: write}\n")

    with pytest.raises(ProblemsError, match=r"jobs\.deploy\.permissions\.id-token") as refusal:
        laboratory.run()

    assert "GitHub refuses to start the run" in str(refusal.value)


def test_a_login_needs_the_right_to_ask_for_a_token(laboratory: Laboratory) -> None:
    laboratory.replace(CALLER, "app.yaml", "id-token: write", "id-token: none")

    run = laboratory.run()

    assert run.failed() == ["run / first / deploy"]
    assert "give write permissions to id-token" in run.job("first / deploy").log


def test_clouds_are_open_only_to_who_logged_in(laboratory: Laboratory, tmp_path: Path) -> None:
    clouds = tmp_path / "clouds.json"
    laboratory.replace(LIBRARY, "place.yaml", 'echo "seen=', 'echo "seen=${VIRTCI_CLOUDS:-none} ')
    logins = {values["CLIENT"]: clouds for name, values in laboratory.environments.items() if name != "b"}

    run = laboratory.rehearsal(logins).run("app.yaml")

    assert run.job("a / deploy").outputs["seen"].startswith(str(clouds))
    assert run.job("b / deploy").result == "failure"
    assert "AADSTS700016" in run.job("b / deploy").log


def test_a_workflow_that_is_not_there_is_refused(laboratory: Laboratory) -> None:
    laboratory.replace(LIBRARY, "stages.yaml", "place.yaml", "palace.yaml")

    with pytest.raises(ProblemsError, match="palace"):
        laboratory.run()


def test_an_action_without_a_stand_in_is_refused_by_name(laboratory: Laboratory) -> None:
    laboratory.replace(LIBRARY, "place.yaml", "azure/login@", "azure/logon@")

    with pytest.raises(Refusal, match="azure/logon has a stand-in"):
        laboratory.run()


def test_stand_ins_say_what_they_were_asked(laboratory: Laboratory) -> None:
    rehearsal = laboratory.rehearsal()

    rehearsal.run("app.yaml")

    clients = {call["inputs"]["client-id"] for call in rehearsal.calls() if call["action"] == "azure/login"}
    assert clients == {values["CLIENT"] for values in laboratory.environments.values()}


def test_the_files_are_changed_where_act_needs_it_and_nowhere_else(laboratory: Laboratory, tmp_path: Path) -> None:
    laboratory.run()

    changed = (tmp_path / "run" / "act-1" / "workdir" / ".github" / "workflows" / "place.yaml").read_text()
    kept = [line for line in changed.splitlines() if line in PLACE.splitlines()]
    assert len(kept) == len(PLACE.splitlines()) - 2
    assert yaml.safe_load(changed)["jobs"].keys() == yaml.safe_load(PLACE)["jobs"].keys()
    assert json.loads((tmp_path / "run" / "rehearsal.json").read_text())["identityJobs"]
