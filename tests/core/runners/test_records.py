"""Records and tags: what is written is read again, whole; what somebody changed is not guessed at."""

from dataclasses import replace
from datetime import timedelta

import pytest

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.ladder import Rung
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Attempt, Phase, Record, Request, from_document, to_document
from virtci.core.runners.tags import RunTags, read_run_tags, run_tags
from virtci.core.tags import TagSet, tag_faults
from virtci.rehearsal.clock import START

RUN = Run(repository="rehearsal-org/km", workflow="KM CI Pipeline", run_number=1279, run_id=991, attempt=2)
NAME = RunnerName(run=RUN, cloud=Cloud.AZURE, slot=2, again=1)
RECORD = Record(
    request=Request(name=NAME, capability=Capability.MSHV, serves=Serves.JOB, overflow=False, spot=True),
    phase=Phase.KEPT,
    at={"requested": START, "kept": START + timedelta(hours=1)},
    rung=Rung(cloud=Cloud.AZURE, region="westus", zone="1", type="Standard_D4s_v5", spot=True),
    slot="auto-runner-westus-01",
    attempts=(Attempt(rung="m5.xlarge in ec2", code="CAPACITY", said="none", at=START),),
    keep_until=START + timedelta(days=7),
    why="a job failed",
)
COMMON = TagSet(owner="kontain-ci", system="kontain", stack=NAME.stack)
TAGS = RunTags(
    stack=NAME.stack, label=NAME.label, shown=NAME.shown, run=RUN.path, slot="auto-runner-westus-01", deadline=START
)


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, rung=None, keep_until=None, attempts=())])
def test_record_is_read_as_it_was_written(record: Record) -> None:
    assert from_document(to_document(record)) == record


def test_record_of_another_version_is_refused() -> None:
    with pytest.raises(Refusal, match="version 1, not 2"):
        from_document(to_document(RECORD) | {"version": 2})


@pytest.mark.parametrize("cloud", Cloud)
@pytest.mark.parametrize("tags", [TAGS, TAGS.kept(START + timedelta(days=7))])
def test_tags_are_legal_and_read_as_they_were_written(cloud: Cloud, tags: RunTags) -> None:
    written = run_tags(COMMON, cloud, tags)
    assert tag_faults(written) == []
    assert read_run_tags(written, "kontain") == tags


@pytest.mark.parametrize("change", [{"managed-by": "somebody"}, {"system": "l1vh"}])
def test_what_is_not_ours_is_nothing_to_us(change: dict[str, str]) -> None:
    assert read_run_tags(run_tags(COMMON, Cloud.EC2, TAGS) | change, "kontain") is None


def test_machine_of_the_fleet_that_is_no_runner_is_nothing_to_us() -> None:
    tags = run_tags(COMMON, Cloud.EC2, TAGS)
    del tags["run"]
    assert read_run_tags(tags, "kontain") is None


@pytest.mark.parametrize(
    "change", [{"deadline": "tomorrow"}, {"run": "991"}, {"run": "o/r/x/1"}, {"keep-until": "soon"}]
)
def test_tags_that_somebody_changed_are_refused_with_the_machine(change: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="run-azure-991-2-2-again-1"):
        read_run_tags(run_tags(COMMON, Cloud.EC2, TAGS) | change, "kontain")
