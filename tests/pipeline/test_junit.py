"""JUnit files of suites: figures, and what is never green."""

from pathlib import Path

import pytest

from virtci.core.pipeline import Tests
from virtci.core.problems import Refusal
from virtci.fleet.junit import FILE, SHOWN, read_report, summary

PASSES = '<testcase name="[It] starts [sig-compute]" time="2.5"/>'
FAILS = '<testcase name="[It] stops | here" time="1.5"><failure message="Timed out after 360s.&#10;more" type="failed">at x.go</failure></testcase>'
ERRS = '<testcase name="[It] panics" time="0"><error message="" type="panicked">runtime error: index out of range</error></testcase>'
LEFT_OUT = '<testcase name="[It] migrates" time="0"><skipped message="skipped"/></testcase>'
BEFORE_SUITE = '<testcase name="[SynchronizedBeforeSuite]" time="3"/>'
AFTER_SUITE = '<testcase name="[ReportAfterSuite] k8s reporter" time="0"/>'
BROKEN_SUITE = (
    '<testcase name="[SynchronizedBeforeSuite]" time="3"><failure message="no nodes" type="failed"/></testcase>'
)


def written(folder: Path, *cases: str, name: str = FILE) -> Path:
    file = folder / name
    file.write_text(f'<testsuites><testsuite name="Tests Suite">{"".join(cases)}</testsuite></testsuites>')
    return file


def test_cases_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, PASSES, FAILS, ERRS, LEFT_OUT))

    assert report.tests == Tests(passed=1, failed=2, skipped=1)
    assert report.seconds == 4.0
    assert [(item.name, item.message) for item in report.failed] == [
        ("[It] stops | here", "Timed out after 360s."),
        ("[It] panics", "runtime error: index out of range"),
    ]


def test_the_suite_s_own_nodes_are_no_tests(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, BEFORE_SUITE, LEFT_OUT, AFTER_SUITE))

    assert report.tests == Tests(skipped=1)
    assert report.tests.ran == 0
    assert "No test ran" in summary(report, "Tests")


def test_a_suite_that_breaks_before_its_tests_failed(tmp_path: Path) -> None:
    assert read_report(written(tmp_path, BROKEN_SUITE, LEFT_OUT)).tests == Tests(failed=1, skipped=1)


def test_all_files_of_a_folder_are_one_report(tmp_path: Path) -> None:
    written(tmp_path, PASSES)
    (tmp_path / "partial").mkdir()
    written(tmp_path / "partial", FAILS, name="junit.partial.xml")
    (tmp_path / "log.xml").write_text("<log/>")

    assert read_report(tmp_path).tests == Tests(passed=1, failed=1)


def test_a_file_with_one_suite_at_its_root_is_read(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_text(f'<testsuite name="unit">{PASSES}</testsuite>')

    assert read_report(file).tests == Tests(passed=1)


@pytest.mark.parametrize("text", ["", "<testsuites><testsuite", "no xml at all"])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(Refusal, match=FILE):
        read_report(tmp_path / FILE)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / FILE, tmp_path / "nowhere"):
        with pytest.raises(Refusal, match="leaves a JUnit file"):
            read_report(place)


def test_what_tests_say_cannot_become_markup(tmp_path: Path) -> None:
    text = summary(read_report(written(tmp_path, FAILS)), "Tests in dev")

    assert "### Tests in dev" in text
    assert r"`[It] stops \| here`" in text
    assert "| 0 | 1 | 0 | 0.0 |" in text


def test_a_broken_cluster_does_not_fill_the_page(tmp_path: Path) -> None:
    text = summary(read_report(written(tmp_path, *[FAILS] * (SHOWN + 7))), "Tests")

    assert text.count("Timed out") == SHOWN
    assert "7 tests more" in text
