"""`virtci images` as a person and a workflow run it, with the committed stack file of the runners."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.images.conftest import IMAGE, AzurePlace, Place, aws_place, azure_place, log_in_to_aws
from virtci.cli.main import main
from virtci.fleet import waiting
from virtci.places import stack_file
from virtci.settings.load import from_file

A, B, C = "2026.08.1", "2026.09.1", "2026.09.2"
NOW = datetime(2026, 9, 30, tzinfo=UTC)
SETTINGS = from_file(stack_file("kontain"), rehearsal=True)
assert SETTINGS.runners
assert SETTINGS.runners.azure
assert SETTINGS.runners.aws
PINNED, NEWER = SETTINGS.runners.agent.version, "2.999.0"


@dataclass
class Both:
    """The clouds of stack `kontain`."""

    azure: AzurePlace
    aws: Place

    def publish(self, *versions: str, state: str = "offered", agent: str = "2.337.0") -> None:
        for place in (self.azure, self.aws):
            for version in versions:
                place.publish(version, state, agent=agent)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, github_url: str) -> Iterator[Both]:
    monkeypatch.setenv("GITHUB_API_URL", github_url)
    monkeypatch.setenv("GITHUB_TOKEN", "rehearsal")
    monkeypatch.setattr(waiting, "now", lambda: NOW)
    log_in_to_aws(monkeypatch)
    assert SETTINGS.runners
    assert SETTINGS.runners.azure
    assert SETTINGS.runners.aws
    with (
        azure_place(SETTINGS.subscription, SETTINGS.runners.azure.resource_group) as azure,
        aws_place(SETTINGS.runners.aws.regions) as aws,
    ):
        manager = azure.manager_url
        (tmp_path / "clouds.json").write_text(json.dumps({"resourceManager": manager}))
        monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))
        yield Both(azure, aws)


def images(*arguments: str) -> int:
    return main(["images", *arguments])


def document(tmp_path: Path, version: str, cloud: str = "azure", **change: object) -> str:
    found = {"image": IMAGE, "version": version, "cloud": cloud, "parts": {"agent": "2.337.0"}, "faults": []}
    (tmp_path / "seen.json").write_text(json.dumps(found | change))
    return str(tmp_path / "seen.json")


def rows(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], dict[str, object]]:
    capsys.readouterr()
    assert images("list", "--json") == 0
    return {(row["cloud"], row["version"]): row for row in json.loads(capsys.readouterr().out)}


def test_a_build_has_the_same_number_in_both_clouds(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.azure.publish(B)
    both.aws.publish(C)
    assert images("next-version") == 0
    assert capsys.readouterr().out == "2026.09.3\n"


def test_the_list_says_what_machines_are_made_from(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.publish(A)
    both.publish(B, state="candidate")
    found = rows(capsys)
    assert {key: (row["state"], row["latest"]) for key, row in found.items()} == {
        ("azure", A): ("offered", True),
        ("azure", B): ("candidate", False),
        ("ec2", A): ("offered", True),
        ("ec2", B): ("candidate", False),
    }
    assert images("list", "--cloud", "azure") == 0
    shown = capsys.readouterr().out
    assert "offered, latest" in shown
    assert "agent=2.337.0" in shown
    assert "ec2" not in shown


@pytest.mark.usefixtures("both")
def test_an_image_without_versions_says_how_to_build_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert images("list") == 0
    assert "make -C cloud/azure L0BaseImage" in capsys.readouterr().err
    assert images("check") == 1
    assert capsys.readouterr().err.count("it has none at all; no machine can be made in") == 2
    assert images("rollback", "--cloud", "ec2") == 3
    assert "fix: build a new version" in capsys.readouterr().err


def test_a_version_goes_from_its_build_to_the_latest_and_back(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both.publish(A)
    both.azure.publish(B)

    assert images("record", document(tmp_path, B)) == 0
    assert images("promote", B, "--cloud", "azure", "--seen", document(tmp_path, B)) == 0
    assert f"{B} is the latest in azure; to go back: virtci images rollback --cloud azure" in capsys.readouterr().out
    assert rows(capsys)["azure", B]["latest"]

    assert images("rollback", "--cloud", "azure") == 0
    assert capsys.readouterr().out == f"{A} is the latest in azure; withdrawn: {B}\n"
    assert rows(capsys)["azure", A]["latest"]
    assert rows(capsys)["ec2", A]["latest"], "the other cloud is left alone"


def test_a_failed_canary_stops_the_promotion_and_says_why(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both.aws.publish(B, agent="2.337.0")
    seen = document(tmp_path, B, "ec2", faults=["all machines have the same id: /etc/machine-id"])
    assert images("promote", B, "--cloud", "ec2", "--seen", seen) == 3
    said = capsys.readouterr().err
    assert f"version {B} of `L0BaseImage` in ec2 passes its canary: all machines have the same id" in said
    assert "the latest stays what it was" in said


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_a_document_that_is_none_is_said(
    both: Both, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    both.azure.publish(A)
    (tmp_path / "seen.json").write_text(text)
    assert images("promote", A, "--cloud", "azure", "--seen", str(tmp_path / "seen.json")) == 3
    assert "the document names `image`" in capsys.readouterr().err
    assert images("record", str(tmp_path / "nothing.json")) == 3
    assert "nothing.json can be read" in capsys.readouterr().err


def test_old_versions_go_after_a_look(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.publish("2026.06.1", "2026.07.1", A, B, C)
    both.aws.use("2026.06.1")
    assert images("prune", "--dry-run") == 0
    assert len(rows(capsys)) == 10
    assert images("prune") == 0
    assert capsys.readouterr().out.splitlines() == [
        "deleted: 2026.06.1 in azure (offered)",
        "deleted: 2026.07.1 in azure (offered)",
        "deleted: 2026.07.1 in ec2 (offered)",
    ]
    assert rows(capsys)["ec2", "2026.06.1"]["used"]


def test_good_images_pass_the_check(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.publish(A)
    assert images("check") == 0
    assert capsys.readouterr().out == f"all images, and agent {PINNED}, are good for 14 days\n"


@pytest.fixture
def pinned_ends(scenario: dict[str, object]) -> None:
    """GitHub says when the agent ends that the stack file pins."""
    scenario["agents"] = {PINNED: {"runtime": "2026-11-05T00:00:00Z"}, NEWER: {}}


@pytest.mark.usefixtures("pinned_ends")
def test_an_agent_that_ends_soon_fails_the_check_with_version_date_and_fix(
    both: Both, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    both.publish(A, agent=PINNED)
    assert images("check", "--days", "40") == 1
    said = capsys.readouterr()
    words = f"agent {PINNED} gets no jobs from 2026-11-05 on, in 36 days; the limit is 40"
    assert said.err.splitlines() == [
        f"{A} in azure: {words}. Build a new version and promote it",
        f"{A} in ec2: {words}. Build a new version and promote it",
        f"stack `kontain`: {words}. Set runners.agent in its file to a newer release",
    ]
    assert said.out.count("::error::") == 3


@pytest.mark.usefixtures("pinned_ends")
def test_images_and_the_agent_of_the_stack_file_are_checked_apart_because_a_build_mends_only_the_first(
    both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    both.publish(A, agent=NEWER)
    assert images("check", "--only", "images", "--days", "40") == 0
    assert capsys.readouterr().out == "all images are good for 40 days\n"
    assert images("check", "--only", "agent", "--days", "40") == 1
    assert capsys.readouterr().err.startswith(f"stack `kontain`: agent {PINNED} gets no jobs")
    assert images("check", "--only", "agent") == 0
    assert capsys.readouterr().out == f"agent {PINNED} is good for 14 days\n"


def test_packer_gets_from_the_stack_file_what_it_need_not_be_told(
    scenario: dict[str, object], request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario["agents"] = {"2.337.0": {"sha256": "a" * 64}}
    both: Both = request.getfixturevalue("both")
    both.publish(B)

    assert images("inputs", "azure") == 0
    azure = json.loads(capsys.readouterr().out)
    assert images("inputs", "ec2", "--version", B) == 0
    aws = json.loads(capsys.readouterr().out)

    assert azure.pop("tags") == aws.pop("tags") == {
        "owner": "kontain-ci", "system": "kontain", "environment": "runners", "lifetime": "durable",
        "stack": "kontain", "managed-by": "virt-ci",
    }  # fmt: skip
    common = {"image_name": IMAGE, "agent_version": "2.337.0", "agent_sha256": "a" * 64, "replica_regions": []}
    assert azure == common | {
        "subscription": SETTINGS.subscription, "resource_group": "auto-github-runner", "gallery": "auto_github_runner",
        "region": "westus", "image_version": "2026.09.2",
    }  # fmt: skip
    assert aws == common | {"region": "us-east-2", "network": "github-runner", "image_version": B}


def test_a_version_that_is_none_is_refused_before_anybody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert images("promote", "latest", "--cloud", "azure", "--without-canary", "x") == 3
    assert "a version of an image is YYYY.MM.N, as in 2026.11.2; it is 'latest'" in capsys.readouterr().err


@pytest.mark.usefixtures("both")
def test_a_stack_without_runners_has_no_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert images("list", "--stack", "hub") == 3
    assert "stack `hub` has a section `runners`" in capsys.readouterr().err
    assert images("list", "--stack", "nothing") == 3
    assert "Pulumi.nothing.yaml can be read" in capsys.readouterr().err


@pytest.mark.usefixtures("both")
def test_without_a_token_for_github_nothing_is_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert images("check") == 3
    assert "GITHUB_TOKEN holds a token" in capsys.readouterr().err
