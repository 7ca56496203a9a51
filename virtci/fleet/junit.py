"""JUnit files of KubeVirt's suites: figures, failed tests, and what people read of them.

ginkgo writes a case for every test that it knows, also for those that the filter left out, and one for each node of
the suite itself. The latter are no tests: a run that selected nothing would look green with them.
Source: onsi/ginkgo reporters/junit_report.go and types/types.go v2.34.0: names of cases begin with their node type in brackets.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import ParseError

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from virtci.core.pipeline import Tests
from virtci.core.problems import Refusal
from virtci.fleet.markdown import code, count, table, titled

FILE = "junit.functest.xml"
SUITE_NODE = re.compile(
    r"\[(Synchronized)?(Before|After)Suite\]|\[Report(Before|After)Suite\]|\[DeferCleanup \(Suite\)\]"
)
SHOWN = 50
"""Failed tests that are named; a cluster that broke has hundreds."""
MESSAGE = 300
"""Characters of a failure's message that are shown."""


@dataclass(frozen=True, slots=True)
class Failed:
    """One test that failed, and the first line of why."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one or more JUnit files say."""

    tests: Tests
    failed: tuple[Failed, ...]
    seconds: float


def read_report(place: Path) -> Report:
    """The report of a file, or of all JUnit files in a folder. Raises `Refusal` when there is none, or one is broken."""
    files = sorted(place.rglob("junit*.xml")) if place.is_dir() else [place]
    if not files or not files[0].exists():
        raise Refusal(
            f"the suite leaves a JUnit file at {place}",
            "nobody knows what was tested, so this run is not green",
            "look at the end of the suite's log: it broke before its first test, or wrote elsewhere ($ARTIFACTS)",
        )
    return report_of(case for file in files for case in _cases(file))


def report_of(cases: Iterable[TestCase]) -> Report:
    """The figures of these cases."""
    passed = skipped = 0
    seconds = 0.0
    failed: list[Failed] = []
    for case in cases:
        seconds += case.time or 0.0
        broken = next((item for item in case.result if isinstance(item, (Failure, Error))), None)
        if broken is not None:
            failed.append(Failed(str(case.name), _first_line(broken.message or broken.text or "")))
        elif SUITE_NODE.match(str(case.name)):
            continue
        elif any(isinstance(item, Skipped) for item in case.result):
            skipped += 1
        else:
            passed += 1
    return Report(Tests(passed, len(failed), skipped), tuple(failed), seconds)


def summary(report: Report, title: str) -> str:
    """The report as Markdown."""
    tests = report.tests
    figures = table(
        ("#passed", "#failed", "#left out", "#minutes"),
        [(str(tests.passed), str(tests.failed), str(tests.skipped), f"{report.seconds / 60:.1f}")],
    )
    parts = [f"### {title}", figures]
    if not tests.ran:
        parts.append("**No test ran**, so this is not green.")
    if report.failed:
        rows = [(code(item.name), code(item.message)) for item in report.failed[:SHOWN]]
        left = len(report.failed) - SHOWN
        more = f"\n\n… and {count(left, 'test')} more in the JUnit file." if left > 0 else ""
        parts.append(titled(count(len(report.failed), "failed test"), table(("test", "why"), rows) + more, len(rows)))
    return "\n\n".join(parts)


def _cases(file: Path) -> list[TestCase]:
    try:
        found = JUnitXml.fromfile(str(file))
    except (JUnitXmlError, ParseError, OSError) as error:
        raise Refusal(
            f"{file.name} is a JUnit file: {' '.join(str(error).split())}",
            "nobody knows what was tested, so this run is not green",
            "look at the end of the suite's log: it was cut short while it wrote",
        ) from None
    # A file holds suites, or one suite whose items are cases already.
    return [case for item in found for case in (item if isinstance(item, TestSuite) else [item])]


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= MESSAGE else f"{line[: MESSAGE - 1]}…"
