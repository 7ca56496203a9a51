"""Results of environments as files, the record in the cluster, and the page at the end."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from virtci.core.environments import Environment
from virtci.core.pipeline import Ending, Outcome, Tests
from virtci.core.problems import Refusal
from virtci.fleet.last_test import EnvironmentResult, read_results, record_of, result_of, verdict_text

DIGEST = f"sha256:{'a' * 64}"


def failed() -> EnvironmentResult:
    outcome = Outcome(Ending.FAILED, "1 of 4 | tests failed")
    return result_of(Environment.TEST_KVM, outcome, DIGEST, Tests(3, 1, 9), ["[It] starts"])


def test_a_result_survives_the_way_through_an_artifact(tmp_path: Path) -> None:
    result = failed()

    result.write(tmp_path / "result-test-kvm")

    assert read_results(tmp_path) == {Environment.TEST_KVM: result}


def test_no_results_are_no_error(tmp_path: Path) -> None:
    assert read_results(tmp_path) == {}


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text('{"environment": "dev", "ending": "fine"}')

    with pytest.raises(Refusal, match=r"dev\.json is the result of an environment"):
        read_results(tmp_path)


def test_the_record_in_the_cluster_says_what_was_tested() -> None:
    record = record_of(
        failed(), datetime(2026, 11, 21, 8, tzinfo=UTC), "https://github.com/octo-lab/kubevirt/actions/runs/1"
    )

    assert (record.result, record.passed, record.failed, record.skipped) == ("failed", 3, 1, 9)
    assert record.release == DIGEST


def test_the_page_names_every_environment_and_its_reason() -> None:
    endings = {
        Environment.DEV: Outcome(Ending.PASSED),
        Environment.TEST_KVM: failed().outcome,
        Environment.TEST_MSHV: Outcome(Ending.SKIPPED, "not supported yet"),
        Environment.TEST_EMULATION: Outcome(Ending.CANCELLED, "its jobs left no result"),
    }

    text = verdict_text(endings, {Environment.TEST_KVM: failed()}, DIGEST)

    assert "**Not good.**" in text
    assert r"| test-kvm | ❌ failed | 3 | 1 | 9 | `1 of 4 \| tests failed` |" in text
    assert "| test-mshv | ⏭️ skipped | - | - | - | `not supported yet` |" in text
    assert f"Release `{DIGEST}`" in text


def test_a_good_page_says_so_and_shows_no_release_that_there_is_not() -> None:
    text = verdict_text(dict.fromkeys(Environment, Outcome(Ending.PASSED)), {}, "")

    assert "Every environment is good." in text
    assert "Release" not in text
