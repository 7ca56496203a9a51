"""Rehearses the KubeVirt pipeline: its real workflow files, run by `act`, with real commands, on simulated clouds.

Played by stand-ins: GitHub itself and the actions of others (`act`), KubeVirt's Makefile (`suite`), the docker client and the
registry. Whatever the jobs find in their environment is given by the caller: clouds (`VIRTCI_CLOUDS`), GitHub (`GITHUB_API_URL`),
the engine's state (`PULUMI_*`).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtci.core.environments import Environment
from virtci.fleet.last_test import EnvironmentResult, read_results
from virtci.outputs.contract import VARIABLE
from virtci.rehearsal.pipeline.act import TOKEN, Interrupt, Origin, Rehearsal, Repository, WorkflowRun
from virtci.rehearsal.pipeline.checkout import COMMIT, checkout_of_this_project, user_of_this_project
from virtci.rehearsal.pipeline.log import Entry, JobRun
from virtci.rehearsal.pipeline.registry import Images, Push, RegistryServer, serve_registry
from virtci.rehearsal.pipeline.suite import Scenario

HERE = Path(__file__).parent
WORKFLOW = "l1vh.yaml"
VERSION = "v1.8.2"
BRANCH = "main"
REF = f"refs/heads/{BRANCH}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the pipeline meets.

    `outputs` are those of the stacks `hub`, `dev` and `test`; `variables` those of each GitHub Environment; `environment` is what
    every job finds in its process environment; `logins` the file for `VIRTCI_CLOUDS` by the client id of a login, where jobs
    see clouds as the identity that they logged in as; `project` is a checkout of this project, made where none is given;
    `benchmark` the container disk of a benchmark, where one is wanted.
    """

    repository: str
    infrastructure: str
    outputs: Sequence[Mapping[str, Any]]
    variables: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    logins: Mapping[str, Path] | None = None
    project: Path | None = None
    benchmark: str = ""


@dataclass(frozen=True)
class PipelineRun:
    """What one attempt of a pipeline came to."""

    workflow: WorkflowRun
    pushes: tuple[Push, ...]
    """Every manifest that was pushed so far, over all attempts."""
    results: Mapping[Environment, EnvironmentResult]
    actions: tuple[Mapping[str, Any], ...]
    """What the stand-ins of actions were asked."""
    artifacts: Path

    @property
    def jobs(self) -> tuple[JobRun, ...]:
        """The jobs as they started; those that an earlier attempt ran, and those that did not start, at the end."""
        return self.workflow.jobs

    def job(self, name: str) -> JobRun:
        """A job by the end of its name, for example `test-kvm / test`."""
        return self.workflow.job(name)


@dataclass
class Pipeline:
    """A repository with a pipeline, ready to be pushed to. Made by `rehearsed_pipeline`."""

    rehearsal: Rehearsal
    registry: RegistryServer
    scenario_file: Path
    attempts: list[PipelineRun] = field(default_factory=list)

    def run(self, scenario: Scenario | None = None, interrupt: Interrupt | None = None) -> PipelineRun:
        """A push to a branch of the repository; with `interrupt`, the run is cancelled where it says so."""
        self._set(scenario or Scenario())
        return self._kept(self.rehearsal.run(WORKFLOW, interrupt=interrupt))

    def rerun_failed(self, scenario: Scenario | None = None) -> PipelineRun:
        """The next attempt: the jobs of the last one that failed, and those that need them."""
        self._set(scenario or Scenario())
        return self._kept(self.rehearsal.rerun_failed(WORKFLOW, self.attempts[-1].workflow))

    def _set(self, scenario: Scenario) -> None:
        self.scenario_file.write_text(scenario.model_dump_json())

    def _kept(self, run: WorkflowRun) -> PipelineRun:
        artifacts = self.rehearsal.folder / "artifacts"
        results = {
            environment: result
            for folder in artifacts.glob("result-*")
            for environment, result in read_results(folder).items()
        }
        images: Images = self.registry.images
        attempt = PipelineRun(run, tuple(images.pushes), results, tuple(self.rehearsal.calls()), artifacts)
        self.attempts.append(attempt)
        return attempt


def rehearse_pipeline(
    folder: Path, stage: Stage, scenario: Scenario | None = None, interrupt: Interrupt | None = None
) -> PipelineRun:
    """One push, in a folder of its own."""
    with rehearsed_pipeline(folder, stage) as pipeline:
        return pipeline.run(scenario, interrupt)


@contextmanager
def rehearsed_pipeline(folder: Path, stage: Stage, *, fork: str = "") -> Iterator[Pipeline]:
    """A repository whose pipeline can be run, and run again. With `fork`, the run is for a pull request from there."""
    with serve_registry(TOKEN) as registry:
        repositories = {
            stage.repository: user_of_this_project("kubevirt", folder / "kubevirt", stage.infrastructure, BRANCH),
            stage.infrastructure: Repository(
                folder=stage.project or checkout_of_this_project(folder / "virt-ci"), commit=COMMIT
            ),
        }
        scenario_file = folder / "scenario.json"
        environment = {
            "PATH": f"{HERE / 'programs'}{os.pathsep}{os.environ['PATH']}",
            **stage.environment,
            "SCENARIO": str(scenario_file),
        }
        origin = _origin(stage, registry.address, fork)
        yield Pipeline(
            Rehearsal(folder / "run", origin, repositories, environment, stage.logins), registry, scenario_file
        )


def at_step(job: str, step: str) -> Interrupt:
    """Cancels a run when a step of a job has begun; the job by the end of its name, for example `dev / test`."""

    def reached(entry: Entry) -> bool:
        return " / ".join(entry.job).endswith(job) and entry.step == step

    return reached


def _origin(stage: Stage, registry: str, fork: str) -> Origin:
    head = {"full_name": fork or stage.repository}
    payload = {"pull_request": {"number": 1, "head": {"sha": COMMIT, "repo": head}}} if fork else {"ref": REF}
    return Origin(
        repository=stage.repository,
        event="pull_request" if fork else "push",
        payload={"repository": {"full_name": stage.repository}, **payload},
        ref="refs/pull/1/merge" if fork else REF,
        variables={
            "KUBEVIRT_VERSION": VERSION,
            "KUBEVIRT_REGISTRY": f"{registry}/{stage.repository}",
            VARIABLE: json.dumps(list(stage.outputs)),
            "BENCHMARK_DISK": stage.benchmark,
        },
        environments=stage.variables,
        run_id=17,
        run_number=17,
    )
