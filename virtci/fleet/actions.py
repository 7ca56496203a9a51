"""What GitHub Actions tells a job through its environment, and what jobs hand to one another as files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from virtci.core.problems import Refusal

SITE = "https://github.com"
Document = TypeVar("Document", bound=BaseModel)


def repository_slug() -> str:
    """The repository of this run. Raises `Refusal` outside of GitHub Actions."""
    return _given("GITHUB_REPOSITORY")


def run_link() -> str:
    """The address of this run."""
    site = os.environ.get("GITHUB_SERVER_URL", SITE)
    return f"{site}/{_given('GITHUB_REPOSITORY')}/actions/runs/{_given('GITHUB_RUN_ID')}"


def add_summary(file: Path, text: str) -> None:
    """Appends Markdown to the summary of a job."""
    with file.open("a", encoding="utf-8") as summary:
        summary.write(f"{text}\n")


def keep_result(folder: Path, name: str, result: BaseModel) -> None:
    """Writes the result of a name to `NAME.json`, where `results` looks for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(result.model_dump_json(by_alias=True, indent=2))


def results(folder: Path, names: Sequence[str], kind: type[Document]) -> dict[str, Document | None]:
    """The result of each name from `NAME.json`; nothing where the job ended before it wrote one.

    Raises `Refusal` for a file of another form.
    """
    found: dict[str, Document | None] = {}
    for name in names:
        file = folder / f"{name}.json"
        try:
            found[name] = kind.model_validate_json(file.read_bytes()) if file.exists() else None
        except ValidationError as error:
            raise Refusal(
                f"{file.name} was written by this version of virtci: {error.error_count()} faults",
                "its outcome cannot be told",
                "run all jobs of the workflow again, not only this one",
            ) from error
    return found


def _given(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise Refusal(
            f"{variable} says where this runs",
            "nothing can be written to GitHub",
            "run it in GitHub Actions, or set the variable as it does",
        )
    return value
