"""The outputs of the fleet as a variable of the repository that uses it: written when they differ, never with what must stay."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.outputs.sample import changed, outputs
from virtci.cli.main import main
from virtci.core.problems import ProblemsError, Refusal
from virtci.fleet.clouds import github
from virtci.fleet.publishing import LARGEST, publish, published_text, variable_text
from virtci.outputs.check import read
from virtci.outputs.contract import Outputs
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, Server, serve
from virtci.rehearsal.journal import Fault, FaultPlan, Journal

REPOSITORY = "octo-lab/kubevirt"
VARIABLES = f"/repos/{REPOSITORY}/actions/variables"
VARIABLE = f"{VARIABLES}/VIRTCI_OUTPUTS"
KEY = "-----BEGIN OPENSSH PRIVATE " + "KEY-----"
CONTENTS = {
    "contractVersion": 1, "stack": "dev-kubevirt", "region": "westus",
    "kubevirt": {
        "environment": "dev", "namespace": "kubevirt", "version": "v1.8.2", "registry": "registry.example/kubevirt",
        "releaseDigest": "sha256:1", "operatorImage": "registry.example/kubevirt/virt-operator@sha256:1", "gate": "off",
        "gateDeclared": "off", "fallback": False, "reason": "", "useEmulation": False, "testServiceAccount": "virt-ci/tests",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """GitHub, and somebody with a token for it."""

    server: Server
    client: httpx.Client

    def shown(self) -> str | None:
        """What the variable says."""
        answer = self.client.get(VARIABLE)
        return None if answer.status_code == 404 else str(answer.json()["value"])

    def set(self, text: str) -> None:
        """What somebody else wrote."""
        self.client.post(VARIABLES, json={"name": "VIRTCI_OUTPUTS", "value": text}).raise_for_status()

    def after_reading(self, happens: Callable[[], object]) -> None:
        """Something that happens between reading the variable and writing it."""

        def hook(answer: httpx.Response) -> None:
            if answer.request.method == "GET":
                self.client.event_hooks["response"].clear()
                happens()

        self.client.event_hooks["response"].append(hook)

    def writes(self) -> list[str]:
        return [call.operation for call in self.server.journal.calls if call.operation != "GET"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    scenario = GitHubScenario.model_validate(
        {"owner": {"login": "octo-lab", "id": 100}, "repositories": [{"name": "kubevirt", "id": 201}]}
    )
    clock = SimulatedClock()
    with serve(scenario, clock, Journal(clock)) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "installation")
        with github() as client:
            yield Desk(server, client)


def stack(name: str, **changes: Any) -> Outputs:
    return read({**outputs(), "stack": name, **changes})


def text(**changes: Any) -> str:
    return variable_text([stack("hub", **changes), stack("test")])


def test_the_variable_is_created_and_then_left_alone(desk: Desk) -> None:
    endings = [publish(desk.client, REPOSITORY, text()).ending for _ in range(2)]

    assert endings == ["created", "unchanged"]
    assert [item["stack"] for item in json.loads(desk.shown() or "")] == ["hub", "test"]
    assert desk.writes() == ["POST"]


def test_the_order_of_the_stacks_changes_nothing() -> None:
    assert variable_text([stack("hub"), stack("test")]) == variable_text([stack("test"), stack("hub")])


def test_a_change_is_written_and_named(desk: Desk) -> None:
    publish(desk.client, REPOSITORY, text())

    done = publish(desk.client, REPOSITORY, text(region="eastus"))

    assert (done.ending, [(item.path, item.before, item.after) for item in done.changes]) == (
        "changed",
        [("hub.region", "westus", "eastus")],
    )
    assert json.loads(desk.shown() or "")[0]["region"] == "eastus"
    assert "| `hub.region` | `westus` | `eastus` |" in published_text(done, REPOSITORY)


def test_a_stack_that_is_gone_and_a_new_one_are_named(desk: Desk) -> None:
    publish(desk.client, REPOSITORY, variable_text([stack("hub"), stack("old")]))

    done = publish(desk.client, REPOSITORY, variable_text([stack("hub"), stack("new")]))

    gone_or_new = [(item.path, item.before == "(absent)", item.after == "(absent)") for item in done.changes]
    assert gone_or_new == [("new", True, False), ("old", False, True)]


@pytest.mark.parametrize("before", ["", "no json", "{}", "[1]", '[{"region": "westus"}]'])
def test_what_a_person_wrote_there_by_mistake_is_replaced(before: str, desk: Desk) -> None:
    desk.set(before)

    assert publish(desk.client, REPOSITORY, text()).ending == "changed"
    assert desk.shown() == text()


def test_somebody_who_creates_it_at_the_same_time_is_no_obstacle(desk: Desk) -> None:
    desk.after_reading(lambda: desk.set("[]"))

    publish(desk.client, REPOSITORY, text())

    assert desk.shown() == text()


def test_somebody_who_deletes_it_at_the_same_time_is_no_obstacle(desk: Desk) -> None:
    desk.set("[]")
    desk.after_reading(lambda: desk.client.delete(VARIABLE))

    publish(desk.client, REPOSITORY, text())

    assert desk.shown() == text()


@pytest.mark.parametrize(
    ("status", "fix"), [(403, "Variables: write"), (404, "install the GitHub App"), (500, "again")]
)
def test_a_token_that_may_not_write_is_named_with_its_fix(status: int, fix: str, desk: Desk) -> None:
    desk.server.journal.plan = FaultPlan(
        faults=(Fault(cloud="github", operation="POST", status=status, message="Resource not accessible"),)
    )

    with pytest.raises(Refusal, match=f"GitHub, POST {VARIABLES}, answers") as refused:
        publish(desk.client, REPOSITORY, text())

    assert "Resource not accessible" in refused.value.consequence
    assert fix in refused.value.fix


def problems(*stacks: Outputs) -> list[str]:
    with pytest.raises(ProblemsError) as refused:
        variable_text(stacks)
    return [f"{item.key} = {item.value}: {item.rule}" for item in refused.value.problems]


@pytest.mark.parametrize(
    "value",
    [
        "00000000-0000-0000-0000-0000000000a1",
        "/subscriptions/00000000-0000-0000-0000-0000000000a1/x",
        "rehearsal-org/x",
    ],
)
def test_outputs_of_a_rehearsal_stay_here(value: str) -> None:
    (found,) = problems(stack("hub"), read(changed("environments.dev.repository", value) | {"stack": "dev"}))

    assert found.startswith(f"dev.environments.dev.repository = {value}: the outputs are those of a deployment")


def test_a_sentence_may_speak_of_a_rehearsal() -> None:
    assert "a rehearsal" in variable_text([read(changed("environments.dev.tests.reason", "off since a rehearsal"))])


def test_a_credential_is_named_by_its_place_and_not_shown() -> None:
    (found,) = problems(read(changed("machines.1.user", f"{KEY}\nsesame")))

    assert found == "all.machines[1].user = [secret]: outputs hold no secrets; here is a private key"


def test_what_the_engine_has_masked_is_a_secret() -> None:
    (found,) = problems(read(changed("vault.uri", "[secret]")))

    assert "all.vault.uri" in found


def test_a_variable_holds_so_much_and_no_more() -> None:
    room = LARGEST - len(variable_text([stack("hub")]).encode()) + len("westus")

    assert len(variable_text([stack("hub", region="w" * room)]).encode()) == LARGEST
    (found,) = problems(stack("hub", region="w" * (room + 1)))
    assert found == "VIRTCI_OUTPUTS = 49,153 bytes: a variable holds at most 49,152 bytes"


@pytest.fixture
def files(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Publishes files with these contents."""
    assert desk.shown() is None
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    def run(*contents: dict[str, Any]) -> int:
        paths = [tmp_path / f"{number}.json" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(json.dumps(content))
        return main(["pipeline", "publish", "--outputs", *map(str, paths)])

    return run


def test_the_command_publishes_to_the_repository_of_the_environments(
    files: Callable[..., int], desk: Desk, tmp_path: Path
) -> None:
    assert files(outputs(), CONTENTS) == 0

    assert [item["stack"] for item in json.loads(desk.shown() or "")] == ["all"]
    assert "### VIRTCI_OUTPUTS of `octo-lab/kubevirt`: created" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (outputs() | {"surprise": 1}, 3, "keeps the output contract"),
        (changed("environments.dev.tests.enabled", "perhaps"), 3, "keeps the output contract"),
        (changed("machines.0.user", KEY), 2, "outputs hold no secrets"),
        (changed("environments.dev.purpose", "rehearsal"), 2, "placeholders"),
        (changed("environments.dev.repository", "octo-lab/other"), 3, "octo-lab/kubevirt, octo-lab/other"),
        (changed("environments", {}), 3, "--repository OWNER/NAME"),
    ],
)
def test_the_command_refuses_and_writes_nothing(
    content: dict[str, Any],
    code: int,
    said: str,
    files: Callable[..., int],
    desk: Desk,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert files(content) == code

    assert said in capsys.readouterr().err
    assert desk.shown() is None
