"""Workflows of another repository, as act is brought to run them: names, secrets, branches, and runs that are none."""

from pathlib import Path

import pytest

from virtci.rehearsal.pipeline.act import Origin, Rehearsal, Repository

pytestmark = pytest.mark.program("act")

CALLER, LIBRARY = "octo-lab/app", "octo-lab/library"
COMMIT = "1" * 40
ENTRY = f"""
name: the caller
on: schedule
jobs:
  run:
    uses: {LIBRARY}/.github/workflows/same.yaml@{COMMIT}
"""
CALLED = """
name: the called
on: {workflow_call: {}}
jobs:
  look:
    runs-on: ubuntu-24.04
    environment: vault
    steps:
      - {name: tell, run: 'echo "$WORKFLOW $KEY"', env: {WORKFLOW: "${{ github.workflow }}", KEY: "${{ secrets.KEY }}"}}
"""


def repository(folder: Path, text: str) -> Repository:
    """A repository with one workflow; all have the same file name."""
    place = folder / ".github" / "workflows"
    place.mkdir(parents=True)
    (place / "same.yaml").write_text(text)
    return Repository(folder=folder, commit=COMMIT)


def rehearsal(folder: Path, event: str = "schedule") -> Rehearsal:
    repositories = {CALLER: repository(folder / "app", ENTRY), LIBRARY: repository(folder / "library", CALLED)}
    origin = Origin(repository=CALLER, event=event, environment_secrets={"vault": {"KEY": "of-the-environment"}})
    return Rehearsal(folder / "run", origin, repositories, {})


def test_a_called_workflow_may_have_the_file_name_of_its_caller(tmp_path: Path) -> None:
    run = rehearsal(tmp_path).run("same.yaml")

    assert [(job.name, job.result) for job in run.jobs] == [("run / look", "success")]


def test_a_called_job_has_the_name_of_the_caller_and_the_secrets_of_its_own_environment(tmp_path: Path) -> None:
    run = rehearsal(tmp_path).run("same.yaml")

    assert run.job("look").step("tell").log.strip() == "the caller of-the-environment"


def test_a_run_in_which_nothing_runs_is_an_error_and_not_green(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)act ran nothing: .*Could not find any stages to run"):
        rehearsal(tmp_path, event="push").run("same.yaml")
