"""Registering runners: GitHub, the vault and the machine that waits, with the rights of the deploy identity."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from components.roles import DEPLOY_ACTIONS, DEPLOY_NOT_ACTIONS
from tests.boot.runners import OWNER, REPOSITORY, RUNNER, SECRET, VERSION, Booted, Hub, runner
from tests.outputs.sample import environment, machine
from tests.rehearsal.azure.machines import MACHINE_ID, VAULT, VAULT_ID, grant, patched_tags, role
from tests.rehearsal.azure.simulated import SUBSCRIPTION
from virtci.cli.main import main
from virtci.core.problems import Refusal
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.registration import Registrar, missing, register, runners_of
from virtci.fleet.waiting import Pace
from virtci.outputs.contract import MachinePart, VaultPart
from virtci.rehearsal import clock
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.azure.server import listen
from virtci.rehearsal.azure.server import serve as serve_azure
from virtci.rehearsal.github.api import handler as github_handler
from virtci.rehearsal.github.runners import connect, enrol
from virtci.rehearsal.journal import Fault

PLACE = f"{OWNER}/{REPOSITORY}"
PART = MachinePart.model_validate(machine(RUNNER, "rg", "10.0.0.5", "Standard_D2s_v5", "always-on"))
VAULT_PART = {
    "name": VAULT,
    "resourceGroup": "rg",
    "resourceId": VAULT_ID,
    "uri": f"https://{VAULT}.vault.azure.net/",
}
TOKEN_PATH = f"/repos/{PLACE}/actions/runners/registration-token"


@dataclass
class Desk:
    """Where somebody registers runners: the clouds behind it, and what happens while the command waits."""

    hub: Hub
    registrar: Registrar
    said: list[str]
    naps: list[Callable[[], None]] = field(default_factory=list)
    slept: float = 0.0

    @property
    def value(self) -> str:
        """What the secret says now."""
        return held(self.hub.cloud.manager, VAULT, SECRET)[-1].value

    def tell(self, stage: str, reason: str = "-") -> None:
        """Boot tags, as the machine writes them."""
        tags = {"bootstage": stage, "bootid": "b", "bootat": "2026-01-05T08:10:00Z", "bootreason": reason}
        self.hub.cloud.request(
            "PATCH", f"{MACHINE_ID}/providers/Microsoft.Resources/tags/default", patched_tags(**tags)
        )

    def enrol(self) -> None:
        """The agent takes the token that the vault has, and comes online; its machine is ready."""
        world = self.hub.github.world
        connect(world, enrol(world, self.value, PLACE, RUNNER, ("l1vh",), VERSION, replace=True).credential)
        self.tell("ready")

    def nap(self, seconds: float) -> None:
        self.slept += seconds
        if self.naps:
            self.naps.pop(0)()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A runner that waits for its token, and somebody with the rights of the deploy identity."""
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    hub = Hub()
    _, identity = hub.cloud.identity("virt-ci-deploy")
    deploy = role(hub.cloud, "virt-ci deploy", actions=list(DEPLOY_ACTIONS), notActions=list(DEPLOY_NOT_ACTIONS))
    grant(hub.cloud, identity["principalId"], deploy, SUBSCRIPTION)
    with serve_azure(hub.cloud.manager) as azure, listen(github_handler(hub.github)) as port:
        rehearsed = RehearsedClouds.model_validate({"resourceManager": azure.url, "token": identity["principalId"]})
        clouds, said = Clouds(SUBSCRIPTION.rsplit("/", 1)[-1], rehearsed), list[str]()
        headers = {"Authorization": "Bearer installation"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as http:
            vault = VaultPart.model_validate(VAULT_PART)
            pace = Pace(
                lambda: hub.cloud.clock.now + timedelta(days=1, seconds=found.slept), lambda s: found.nap(s), 60
            )
            found = Desk(hub, Registrar(clouds, http, PLACE, vault, pace, said.append), said)
            found.tell("installed")
            yield found


def planned(desk: Desk, **fault: object) -> None:
    journal = desk.hub.cloud.journal
    journal.plan = journal.plan.model_copy(update={"faults": (Fault.model_validate(fault),)})


def token_in(desk: Desk) -> str:
    (token,) = desk.hub.github.world.registrations
    return token


def test_runner_gets_its_token_through_the_vault_and_nothing_usable_stays(desk: Desk) -> None:
    seen: list[str] = []
    desk.naps = [lambda: seen.append(desk.value), desk.enrol]
    register(desk.registrar, [PART])
    assert seen == [token_in(desk)]
    assert desk.value == "used"
    assert desk.hub.runner is not None
    assert desk.hub.runner.online
    assert desk.slept == 120
    assert any("takes jobs of kubevirt-org/kubevirt" in sentence for sentence in desk.said)


def test_secret_expires_with_its_token(desk: Desk) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    _, given, after = held(desk.hub.cloud.manager, VAULT, SECRET)
    _, expires = desk.hub.github.world.registrations[given.value]
    assert datetime.fromtimestamp(given.attributes["exp"], UTC) == expires.replace(microsecond=0)
    assert "exp" not in after.attributes


def test_secret_keeps_the_marks_of_its_declaration(desk: Desk) -> None:
    desk.hub.cloud.update(
        "keyvault:Secret", desk.hub.place, vaultName=VAULT, secretName=SECRET, tags={"owner": "ci"},
        properties={"value": "none", "contentType": "text/plain"},
    )  # fmt: skip
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    newest = held(desk.hub.cloud.manager, VAULT, SECRET)[-1]
    assert (newest.value, newest.tags, newest.content_type) == ("used", {"owner": "ci"}, "text/plain")


def test_token_is_never_said_and_in_no_log(desk: Desk) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    assert desk.said
    assert token_in(desk) not in "\n".join(desk.said)
    assert token_in(desk) not in str(desk.hub.cloud.journal.calls)


def test_machine_registers_for_real_while_the_command_waits(desk: Desk) -> None:
    with runner(desk.hub, context={"registration_secret": SECRET}, power_cut=f"secrets/{SECRET}") as cut:
        booted = Booted(cut.box, desk.hub, cut.result)
        desk.naps = [lambda: _boot(booted)]
        register(desk.registrar, [PART])
        assert booted.online()
        assert desk.value == "used"
        assert booted.ready()


def _boot(booted: Booted) -> None:
    booted.box.reboot()
    assert booted.online()


def test_runner_that_takes_jobs_is_not_missing(desk: Desk) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    assert missing(desk.registrar, [PART]) == []


def test_runner_that_github_does_not_know_is_missing(desk: Desk) -> None:
    assert missing(desk.registrar, [PART]) == [PART]


def test_rebuilt_machine_is_missing_although_github_still_sees_the_old_one(desk: Desk) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    for stage, reason, expected in (
        ("booting", "-", [PART]),
        ("installed", "-", [PART]),
        ("failed", "REGISTRATION: no token came", [PART]),
        ("failed", "VAULT: nobody answers", []),
        ("ready", "-", []),
    ):
        desk.tell(stage, reason)
        assert missing(desk.registrar, [PART]) == expected, stage


@pytest.mark.parametrize(("age", "expected"), [(timedelta(minutes=5), [PART]), (timedelta(hours=2), [])])
def test_new_machine_that_said_nothing_yet_is_on_its_way(
    desk: Desk, age: timedelta, expected: list[MachinePart]
) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    desk.hub.cloud.request("PATCH", MACHINE_ID, {"tags": {}})
    created = datetime.fromisoformat(desk.hub.cloud.get(MACHINE_ID)["properties"]["timeCreated"])
    pace = Pace(lambda: created + age, desk.nap, 60)
    registrar = Registrar(
        desk.registrar.clouds, desk.registrar.github, PLACE, desk.registrar.vault, pace, desk.said.append
    )
    assert missing(registrar, [PART]) == expected


def test_parked_machine_is_not_missing_and_is_refused_by_name(desk: Desk) -> None:
    desk.hub.cloud.request("POST", f"{MACHINE_ID}/deallocate")
    assert missing(desk.registrar, [PART]) == []
    assert any("its machine is off" in sentence for sentence in desk.said)
    with pytest.raises(Refusal, match="runs") as refusal:
        register(desk.registrar, [PART])
    assert refusal.value.fix == f"start it: az vm start --resource-group rg --name {RUNNER}"
    assert desk.hub.github.world.registrations == {}


def test_only_runners_of_the_hub_are_registered() -> None:
    other = MachinePart.model_validate(machine("dev-vm", "rg", "10.0.1.4", "Standard_D8s_v5", "on-demand", "dev"))
    assert runners_of([PART, other], []) == runners_of([PART, other], [RUNNER]) == [PART]
    with pytest.raises(Refusal, match="`dev-vm` is a runner"):
        runners_of([PART, other], ["dev-vm"])


def test_machine_that_never_comes_is_told_with_its_stage_and_reason(desk: Desk) -> None:
    desk.naps = [lambda: desk.tell("failed", "CHECKSUM: the archive is not what was pinned")]
    with pytest.raises(Refusal, match="within 30 minutes") as refusal:
        register(desk.registrar, [PART], timedelta(minutes=30))
    assert f"{RUNNER} is offline; its boot came to `failed`" in refusal.value.consequence
    assert "CHECKSUM" in refusal.value.consequence
    assert "published one" in refusal.value.fix
    assert desk.value == "used"


def test_machine_that_is_silent_leads_to_its_log(desk: Desk) -> None:
    desk.hub.cloud.request("PATCH", MACHINE_ID, {"tags": {}})
    with pytest.raises(Refusal) as refusal:
        register(desk.registrar, [PART], timedelta(minutes=30))
    assert "has not said a word" in refusal.value.consequence
    assert f"get-boot-log --resource-group rg --name {RUNNER}" in refusal.value.fix


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "is valid"), (403, "Administration: write"), (404, "install the GitHub App"), (503, "githubstatus.com")],
)
def test_refusal_of_github_names_the_permission(desk: Desk, status: int, said: str) -> None:
    planned(
        desk, cloud="github", target=TOKEN_PATH, status=status, code="x", message="Resource not accessible", times=9
    )
    with pytest.raises(Refusal) as refusal:
        register(desk.registrar, [PART])
    assert PLACE in refusal.value.rule
    assert refusal.value.consequence == f"it said {status}: Resource not accessible"
    assert said in refusal.value.fix
    assert desk.value == "used"


def test_vault_that_is_not_deployed_is_named(desk: Desk) -> None:
    desk.hub.cloud.delete(desk.hub.place)
    with pytest.raises(Refusal, match=re.escape(f"secret {SECRET} of vault {VAULT}")) as refusal:
        register(desk.registrar, [PART])
    assert "deploy the stack" in refusal.value.fix


def test_login_without_the_rights_is_told_so(desk: Desk) -> None:
    _, stranger = desk.hub.cloud.identity("stranger")
    known = desk.registrar.clouds
    assert known.rehearsed is not None
    clouds = Clouds(known.subscription, known.rehearsed.model_copy(update={"token": stranger["principalId"]}))
    registrar = Registrar(
        clouds, desk.registrar.github, PLACE, desk.registrar.vault, desk.registrar.pace, desk.said.append
    )
    with pytest.raises(Refusal, match=f"machine {RUNNER}"):
        register(registrar, [PART])


def test_interrupted_command_leaves_no_token_behind(desk: Desk) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    desk.naps = [interrupted]
    with pytest.raises(KeyboardInterrupt):
        register(desk.registrar, [PART])
    assert desk.value == "used"


@pytest.fixture
def shell(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environment and the arguments of a workflow's step."""
    rehearsed = desk.registrar.clouds.rehearsed
    assert rehearsed is not None
    (tmp_path / "clouds.json").write_text(rehearsed.model_dump_json(by_alias=True))
    monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))
    monkeypatch.setenv("GITHUB_API_URL", str(desk.registrar.github.base_url))
    monkeypatch.setenv("GITHUB_TOKEN", "installation")
    common = {"contractVersion": 1, "region": "westus"}
    vault = desk.registrar.vault.model_dump(by_alias=True)
    hub = common | {"stack": "hub", "vault": vault, "machines": [PART.model_dump(mode="json", by_alias=True)]}
    dev = common | {
        "stack": "dev",
        "machines": [machine("dev-vm", "rg", "10.0.1.4", "Standard_D8s_v5", "on-demand", "dev")],
        "environments": {
            "dev": environment("dev", "dev-vm", "rg", "mshv", "HyperVL1VH", "new") | {"repository": PLACE}
        },
    }
    for name, content in (("hub", hub), ("dev", dev)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return ["--outputs", str(tmp_path / "hub.json"), str(tmp_path / "dev.json")]


def test_command_has_nothing_to_do_when_every_runner_takes_jobs(
    desk: Desk, shell: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk.naps = [desk.enrol]
    register(desk.registrar, [PART])
    assert main(["runners", "register", "--missing", *shell]) == 0
    assert "every runner is registered" in capsys.readouterr().err
    assert len(desk.hub.github.world.registrations) == 1


def test_command_registers_what_is_missing(desk: Desk, shell: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtci.fleet.waiting.pace_of", lambda _: desk.registrar.pace)
    desk.naps = [desk.enrol]
    assert main(["runners", "register", "--missing", *shell]) == 0
    assert desk.hub.runner is not None
    assert desk.hub.runner.online
    assert desk.value == "used"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--missing"),
        (["--missing", RUNNER], "--missing"),
        (["nobody"], "`nobody` is a runner"),
        (["--missing", "--repository", "other/place"], "other/place"),
    ],
)
def test_command_that_cannot_work_is_refused(
    desk: Desk, shell: list[str], capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["runners", "register", *words, *shell]) == 3
    assert said in capsys.readouterr().err
    assert desk.hub.github.world.registrations == {}


def test_command_without_environments_needs_the_repository(
    desk: Desk, shell: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runners", "register", "--missing", *shell[:2]]) == 3
    assert "--repository OWNER/NAME" in capsys.readouterr().err
    assert desk.value == "none"
