"""`virtci review` and `virtci drift` as jobs call them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.discussion import Place, opened
from tests.fleet.event_logs import Event, different, end, machine, refreshed, said, step, verdict, write
from virtci.cli.main import main
from virtci.fleet.events import Log, read_log
from virtci.fleet.review import Review

RESIZED = different("hardwareProfile.vmSize")
DRIFTED = (
    refreshed("box", machine(), machine("Standard_D8s_v5"), detailedDiff=RESIZED),
    step("update", "box", machine("Standard_D8s_v5"), machine(), detailedDiff=RESIZED),
    end(),
)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with opened(monkeypatch) as found:
        yield found


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Event, ...]]:
    """What the engine does with each stack."""
    known: dict[str, tuple[Event, ...]] = {}

    def preview(stack: str, *, refresh: bool = False) -> Log:
        assert refresh is (known[stack] is DRIFTED)
        return read_log(write(tmp_path, known[stack]))

    monkeypatch.setattr("virtci.fleet.engine.preview", preview)
    return known


def commented(folder: Path, *stacks: str) -> int:
    """Writes the comment of some stacks."""
    source = ["--from", str(folder), "--pull-request", "1", "--commit", "0123456789abcdef"]
    return main(["review", "comment", "--of", *stacks, *source])


def test_a_review_becomes_a_file_a_summary_and_an_exit_code(
    engine: dict[str, tuple[Event, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", "azure-native:1")
    engine["hub"] = (step("create", "box", None, machine()), end())
    engine["dev"] = (verdict("quota", "too many"), end("failed"))
    summary = tmp_path / "summary.md"
    where = ["--to", str(tmp_path / "reviews"), "--summary", str(summary)]

    codes = [main(["review", "stack", stack, *where]) for stack in ("hub", "dev")]

    written = Review.model_validate_json((tmp_path / "reviews" / "hub.json").read_bytes())
    assert codes == [0, 1]
    assert written.quota is not None
    assert [row.limit for row in written.quota] == [16, 16]
    assert summary.read_text().count("| stack | verdict |") == 2


def test_all_reviews_become_one_comment_and_a_missing_one_is_red(
    engine: dict[str, tuple[Event, ...]], place: Place, tmp_path: Path
) -> None:
    engine["hub"] = (end(),)
    main(["review", "stack", "hub", "--to", str(tmp_path)])

    assert commented(tmp_path, "hub") == 0
    assert commented(tmp_path, "hub", "dev") == 1

    (comment,) = place.pull_request.comments.values()
    assert "### Preview: stopped by dev" in comment.body
    assert "Commit 0123456789ab, [run](https://github.com/octo-lab/virt-ci/actions/runs/1)." in comment.body


def test_a_red_review_is_written_before_the_job_is_red(
    engine: dict[str, tuple[Event, ...]], place: Place, tmp_path: Path
) -> None:
    engine["hub"] = (said("no such image"), end("failed"))
    main(["review", "stack", "hub", "--to", str(tmp_path)])
    assert commented(tmp_path, "hub") == 1
    assert ["no such image" in item.body for item in place.pull_request.comments.values()] == [True]


@pytest.mark.parametrize(
    ("variable", "says"), [("GITHUB_TOKEN", "GITHUB_TOKEN holds a token"), ("GITHUB_REPOSITORY", "GITHUB_REPOSITORY")]
)
def test_outside_of_a_workflow_one_sentence_says_what_is_missing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    variable: str, says: str,
) -> None:  # fmt: skip
    monkeypatch.delenv(variable)
    assert commented(tmp_path, "hub") == 3
    assert says in capsys.readouterr().err
    assert place.pull_request.comments == {}


def test_a_review_of_another_version_is_refused(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hub.json").write_text('{"version": 2}')
    assert commented(tmp_path, "hub") == 3
    assert "hub.json was written by this version of virtci" in capsys.readouterr().err
    assert place.pull_request.comments == {}


def test_drift_becomes_an_issue_and_a_stack_that_was_not_checked_is_red(
    engine: dict[str, tuple[Event, ...]], place: Place, tmp_path: Path
) -> None:
    engine["dev"] = DRIFTED
    assert main(["drift", "stack", "dev", "--to", str(tmp_path), "--summary", str(tmp_path / "summary.md")]) == 0
    assert "`Standard_D8s_v5`" in (tmp_path / "summary.md").read_text()

    assert main(["drift", "issue", "--of", "dev", "--from", str(tmp_path)]) == 0
    assert main(["drift", "issue", "--of", "dev", "test", "--from", str(tmp_path)]) == 1

    (issue,) = place.issues
    assert "`Standard_D8s_v5`" in issue.body
    assert "**Not checked**" in issue.body
