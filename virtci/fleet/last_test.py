"""How an environment ended in a run of the pipeline: the file that jobs hand on, and the record in the cluster."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from virtci.core.environments import Environment
from virtci.core.pipeline import FIRST, PROMOTED, Ending, Outcome, Tests
from virtci.core.problems import Refusal
from virtci.fleet.markdown import code, table
from virtci.fleet.release_build import DIGEST
from virtci.outputs.contract import Part
from virtci.outputs.last_test import LastTest

MARKS = {
    Ending.PASSED: "✅",
    Ending.FAILED: "❌",
    Ending.SKIPPED: "⏭️",
    Ending.CANCELLED: "🚫",
    Ending.NOT_PROMOTED: "⛔",
    Ending.NOT_STARTED: "⛔",
}


class EnvironmentResult(Part):
    """What the last job of an environment leaves for the jobs after it."""

    environment: Environment
    ending: Ending
    reason: str = ""
    release: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failed_tests: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Ending and reason."""
        return Outcome(self.ending, self.reason)

    def write(self, folder: Path) -> Path:
        """Writes it into a folder, under the name of its environment."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.environment}.json"
        file.write_text(self.model_dump_json(by_alias=True, indent=2) + "\n")
        return file


def result_of(
    environment: Environment, outcome: Outcome, release: str, tests: Tests | None, failed_tests: Sequence[str] = ()
) -> EnvironmentResult:
    """The result of an environment."""
    figures = tests or Tests()
    return EnvironmentResult.model_validate(
        {
            "environment": environment,
            "ending": outcome.ending,
            "reason": outcome.reason,
            "release": release,
            "passed": figures.passed,
            "failed": figures.failed,
            "skipped": figures.skipped,
            "failedTests": list(failed_tests),
        }
    )


def read_results(folder: Path) -> dict[Environment, EnvironmentResult]:
    """The results in a folder and the folders in it. Raises `Refusal` for a file that is none."""
    found: dict[Environment, EnvironmentResult] = {}
    for file in sorted(folder.rglob("*.json")):
        try:
            result = EnvironmentResult.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise Refusal(
                f"{file.name} is the result of an environment: {error.error_count()} faults",
                "its outcome cannot be told",
                "run all jobs of the pipeline again, not only the failed ones",
            ) from None
        found[result.environment] = result
    return found


def record_of(result: EnvironmentResult, at: datetime, url: str) -> LastTest:
    """What stays in the cluster."""
    return LastTest.model_validate(
        {
            "at": at,
            "result": result.ending.value,
            "passed": result.passed,
            "failed": result.failed,
            "skipped": result.skipped,
            "release": result.release,
            "url": url,
        }
    )


def verdict_text(
    endings: Mapping[Environment, Outcome], results: Mapping[Environment, EnvironmentResult], release: str
) -> str:
    """The end of a run as Markdown."""
    rows = []
    for environment in (FIRST, *PROMOTED):
        ended, result = endings[environment], results.get(environment)
        figures = [str(result.passed), str(result.failed), str(result.skipped)] if result else ["-"] * 3
        shown = f"{MARKS[ended.ending]} {ended.ending}"
        rows.append([environment.value, shown, *figures, code(ended.reason) if ended.reason else ""])
    title = "Every environment is good." if all(item.ending.good for item in endings.values()) else "**Not good.**"
    lines = [f"### KubeVirt pipeline: {title}"]
    if DIGEST.fullmatch(release):
        lines.append(f"Release {code(release)}")
    lines.append(table(("environment", "result", "#passed", "#failed", "#left out", "why"), rows))
    return "\n\n".join(lines)
