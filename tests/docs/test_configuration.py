"""`docs/configuration.md` says what the models say, and its examples are true."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.docs import configuration
from virtci.settings.models import EnvironmentSettings, Hub, Pool, Settings

TEXT = configuration.FILE.read_text()
EXAMPLES = re.findall(r"From `(Pulumi\.[\w-]+\.yaml)`:\n\n```yaml\n(.*?)```", TEXT, re.DOTALL)


def is_part_of(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and is_part_of(item, whole[key]) for key, item in part.items()
        )
    return bool(part == whole)


def test_file_is_fresh() -> None:
    assert configuration.rendered() == TEXT
    assert configuration.main(["--check"]) == 0


def test_file_that_is_not_fresh_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(configuration, "FILE", tmp_path / "configuration.md")
    assert configuration.main(["--check"]) == 1
    assert "python -m tools.docs.configuration" in capsys.readouterr().err
    assert configuration.main([]) == 0
    assert configuration.main(["--check"]) == 0


def test_every_section_has_an_example() -> None:
    assert len(EXAMPLES) + TEXT.count("No committed stack file has it") == TEXT.count("\n## ") >= 12


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example_stands_in_the_stack_file_that_it_names(name: str, example: str) -> None:
    committed = yaml.safe_load((configuration.ROOT / name).read_text())["config"]
    assert is_part_of(yaml.safe_load(example), committed)


@pytest.mark.parametrize("model", [Settings, Hub, EnvironmentSettings, Pool])
def test_every_key_has_a_row(model: Any) -> None:
    for name, field in model.model_fields.items():
        assert f"| `{field.alias or name}` | {configuration.forms(field.rebuild_annotation())} |" in TEXT


def test_every_row_has_a_meaning() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert all(len(row.split(" | ")) == 4 and row.endswith(". |") for row in rows)
