"""How the engine is started for a review, with a stand-in that notes what it was asked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.event_logs import end, said
from virtci.core.problems import Refusal
from virtci.fleet.engine import preview

SCRIPT = """\
#!/usr/bin/env python3
import json, os, stat, sys
arguments = sys.argv[1:]
log = arguments[arguments.index("--event-log") + 1]
folder = os.path.dirname(log)
told = {{"arguments": arguments, "debug": os.environ.get("PULUMI_DEBUG_COMMANDS"), "cwd": os.getcwd(), "folder": folder,
        "mode": stat.S_IMODE(os.stat(folder).st_mode)}}
open({told!r}, "w").write(json.dumps(told))
if {text!r}:
    open(log, "w").write({text!r})
sys.exit({code})
"""


@dataclass
class Engine:
    """The stand-in."""

    folder: Path

    def answers(self, *events: dict[str, object], code: int = 0) -> None:
        """Sets the event log that it leaves, none without events, and its exit code."""
        program = self.folder / "pulumi"
        text = "".join(f"{json.dumps(event)}\n" for event in events)
        program.write_text(SCRIPT.format(told=str(self.folder / "told.json"), text=text, code=code))
        program.chmod(0o755)

    @property
    def told(self) -> dict[str, Any]:
        """What it was asked."""
        return dict(json.loads((self.folder / "told.json").read_text()))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Engine(tmp_path)


def test_a_preview_has_the_policies_of_its_stack_and_an_event_log_that_is_gone_afterwards(engine: Engine) -> None:
    engine.answers(end())

    found = preview("hub")

    told, arguments = engine.told, list(map(str, engine.told["arguments"]))
    assert (found.succeeded, arguments[0], told["debug"], told["mode"]) == (True, "preview", "true", 0o700)
    assert arguments[arguments.index("--stack") + 1] == "hub"
    assert arguments[arguments.index("--policy-pack-config") + 1].endswith("policies/config/hub.json")
    assert "--refresh" not in arguments
    assert not Path(str(told["folder"])).exists()


def test_a_check_for_drift_reads_everything_and_judges_nothing(engine: Engine) -> None:
    engine.answers(end())
    preview("hub", refresh=True)
    arguments = list(map(str, engine.told["arguments"]))
    assert ("--refresh" in arguments, "--policy-pack" in arguments) == (True, False)


@pytest.mark.parametrize(("events", "code"), [((end("failed"), said("x")), 1), ((end(),), 255)])
def test_an_engine_that_fails_is_a_preview_that_failed(
    engine: Engine, events: tuple[dict[str, object], ...], code: int
) -> None:
    engine.answers(*events, code=code)
    assert preview("hub").succeeded is False


def test_an_engine_that_leaves_no_log_is_refused(engine: Engine) -> None:
    engine.answers(code=1)
    with pytest.raises(Refusal, match="event log"):
        preview("hub")


def test_without_an_engine_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("virtci.fleet.engine.ENGINE", tmp_path)
    with pytest.raises(Refusal) as refused:
        preview("hub")
    assert "make setup" in refused.value.fix
