"""A runner boots: the rendered text runs for real against the simulated clouds, on a good day and on bad ones."""

import io
import stat
import tarfile
from collections.abc import Iterator

import pytest

from tests.boot.runners import (
    AGENT,
    METADATA,
    OWNER,
    REFUSED,
    REPOSITORY,
    RUNNER,
    SECRET,
    VERSION,
    Booted,
    Hub,
    owner_of,
    runner,
    without_firewall,
)
from tests.rehearsal.azure.machines import VAULT
from virtci.boot.runner import AgentRelease
from virtci.core.boot_tags import FIXES, Reason, Stage
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.boot import agent, cloud_init
from virtci.rehearsal.boot.sandbox import sandbox, unavailable
from virtci.rehearsal.journal import Fault

ALWAYS = 10**9
TOKEN = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"


@pytest.fixture(scope="module")
def good() -> Iterator[Booted]:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        yield booted


def test_runner_gets_online_and_tells_every_stage(good: Booted) -> None:
    assert good.result.exit_code == 0, good.result.log
    assert good.ready()
    assert good.online()
    assert (good.told.stage, good.told.reason, good.told.hypervisor) == (Stage.READY, "", None)


def test_runner_has_its_name_its_labels_and_its_version(good: Booted) -> None:
    found = good.hub.runner
    assert found is not None
    assert (found.name, found.version) == (RUNNER, VERSION)
    assert found.labels == ("self-hosted", "Linux", "X64", "l1vh", "azure")


def test_agent_belongs_to_a_user_without_rights(good: Booted) -> None:
    number = int(good.box.run("id", "--user", "runner").stdout)
    groups = good.box.run("id", "--groups", "--name", "runner").stdout.split()
    assert 0 < number < 1000
    assert groups == ["runner"]
    assert {owner_of(path) for path in good.box.path(AGENT).rglob("*")} == {number}
    assert owner_of(good.box.path("/home/runner")) == number
    assert not list(good.box.path("/etc").glob("sudoers.d/*"))


def test_agent_runs_as_its_user(good: Booted) -> None:
    number = good.box.run("id", "--user", "runner").stdout.strip()
    listeners = [
        path for path in good.box.path("/proc").glob("[0-9]*") if b"Runner.Listener" in (path / "cmdline").read_bytes()
    ]
    assert [line.split()[1] for path in listeners for line in (path / "status").read_text().splitlines() if line.startswith("Uid:")] == [number]  # fmt: skip


def test_token_is_on_no_command_line_in_no_log_and_in_no_file(good: Booted) -> None:
    (token,) = good.hub.github.world.registrations
    texts = [
        good.result.log,
        *good.lines(),
        *(path.read_bytes().decode(errors="replace") for path in good.box.written()),
    ]
    assert any("config.sh --unattended" in line for line in good.lines())
    assert not [text[:80] for text in texts if token in text]
    assert token not in str(good.hub.cloud.journal.calls)


def test_tokens_of_the_machines_identity_are_nowhere_either(good: Booted) -> None:
    shown = good.box.run("curl", "--silent", "--header", "Metadata: true", TOKEN).stdout
    start = shown.split('"access_token": "')[1][:20]
    texts = [
        good.result.log,
        *good.lines(),
        *(path.read_bytes().decode(errors="replace") for path in good.box.written()),
    ]
    assert not [text[:80] for text in texts if start in text]


def test_credential_of_the_runner_is_its_own_alone(good: Booted) -> None:
    for name in (".credentials", ".credentials_rsaparams", ".runner"):
        assert stat.S_IMODE(good.box.path(f"{AGENT}/{name}").stat().st_mode) & 0o077 == 0
    assert [good.runs_as(user, "cat", f"{AGENT}/.credentials_rsaparams") for user in ("runner", "nobody")] == [0, 1]


def test_jobs_do_not_reach_the_metadata_service_and_root_does(good: Booted) -> None:
    assert good.asks(METADATA) in REFUSED
    assert good.asks(TOKEN) in REFUSED
    assert good.asks(METADATA, user="nobody") in REFUSED
    assert good.asks(METADATA, user="root") == 0


def test_jobs_reach_github(good: Booted) -> None:
    assert good.asks("https://api.github.com/") == 0


def test_containers_are_kept_away_too(good: Booted) -> None:
    rules = good.box.run("iptables-save", "--table", "raw").stdout.splitlines()
    assert "-A PREROUTING -j VIRT-CI-JOBS" in rules
    assert any("169.254.169.254" in line and "DROP" in line and "! -i lo" in line for line in rules)


def test_archive_is_unpacked_only_after_it_was_verified(good: Booted) -> None:
    lines = good.lines()
    verified = next(number for number, line in enumerate(lines) if line.startswith("sha256sum --check"))
    assert verified < next(number for number, line in enumerate(lines) if line.startswith("tar "))
    assert good.hub.downloads == 1


def test_runner_updates_itself(good: Booted) -> None:
    assert not [line for line in good.lines() if "disableupdate" in line]


def test_nothing_is_installed_by_a_package_manager(good: Booted) -> None:
    assert not {"apt-get", "apt", "dpkg"} & {command[0] for command in good.box.commands}


def test_text_and_environment_hold_no_credential(good: Booted) -> None:
    (token,) = good.hub.github.world.registrations
    assert token not in good.hub.text()
    assert "BEGIN" not in good.hub.text()
    assert "TOKEN" not in good.box.read("/etc/virt-ci/boot.env")


def test_token_that_comes_later_is_waited_for() -> None:
    hub = Hub()
    with runner(hub) as booted:
        assert booted.result.exit_code != 0
        assert booted.told.code is Reason.REGISTRATION
        assert SECRET in booted.told.reason
        assert "virtci runners register" in booted.told.fix == FIXES[Reason.REGISTRATION]
        assert 1_200 <= booted.box.waited < 1_300
        assert not [line for line in booted.lines() if "--unattended" in line]
        hub.publish(hub.token())
        again = booted.box.start("virt-ci-boot.service")
        assert again.exit_code == 0, again.log
        assert booted.online()
        assert booted.told.stage is Stage.READY
        assert hub.downloads == 1


def test_token_that_was_used_is_never_shown_to_github() -> None:
    hub = Hub()
    hub.publish("used")
    with runner(hub) as booted:
        assert not [line for line in booted.lines() if "--unattended" in line]
        assert hub.runner is None


def test_role_that_spreads_is_waited_for() -> None:
    hub = Hub(spreading=True)
    hub.publish(hub.token())
    with runner(hub) as booted:
        assert booted.ready(), booted.result.log
        assert booted.box.waited > 5
        assert "vault: 403 for GET of secret" in booted.result.log


def test_role_that_is_absent_is_named() -> None:
    hub = Hub()
    hub.cloud.delete(next(item for item in hub.cloud.manager.remaining() if item.startswith(f"{hub.place}/")))
    with runner(hub) as booted:
        assert booted.told.code is Reason.ROLE
        assert SECRET in booted.told.reason


def test_disabled_secret_is_told_as_the_vaults_refusal() -> None:
    hub = Hub()
    hub.disable()
    with runner(hub) as booted:
        assert booted.told.code is Reason.ROLE
        assert hub.runner is None


def test_metadata_service_that_is_late_is_waited_for() -> None:
    hub = Hub()
    hub.publish(hub.token())
    hub.metadata.refused, hub.service.unready, hub.service.unready_status = 2, 2, 410
    with runner(hub) as booted:
        assert booted.ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8 + 16 + 5


def test_vault_that_is_unreachable_is_named_and_a_later_boot_converges() -> None:
    hub = Hub()
    hub.publish(hub.token())
    hub.vault.refused = ALWAYS
    with runner(hub) as booted:
        assert booted.told.code is Reason.VAULT
        assert VAULT in booted.told.reason
        hub.vault.refused = 0
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.online()


def test_expired_token_is_refused_and_the_next_one_is_taken() -> None:
    hub = Hub()
    hub.publish(hub.token())
    hub.cloud.clock.advance(3_601)
    with runner(hub) as booted:
        assert booted.told.code is Reason.REGISTRATION
        assert f"https://github.com/{OWNER}/{REPOSITORY}" in booted.told.reason
        assert "Http response code: Not Found" in booted.result.log
        hub.publish(hub.token())
        assert booted.box.start("virt-ci-boot.service").exit_code == 0
        assert booted.online()


def test_github_that_is_down_for_a_while_is_waited_for() -> None:
    hub = Hub()
    hub.publish(hub.token())
    plan = hub.cloud.journal.plan
    down = Fault(cloud="github", target=agent.REGISTRATION, status=503, times=3)
    hub.cloud.journal.plan = plan.model_copy(update={"faults": (down,)})
    with runner(hub) as booted:
        assert booted.ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8 + 5


def test_nothing_is_unpacked_that_is_not_what_was_pinned() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub, context={"agent": AgentRelease(VERSION, "0" * 64)}) as booted:
        assert booted.told.code is Reason.CHECKSUM
        assert not [line for line in booted.lines() if line.startswith("tar ")]
        assert not booted.box.exists(AGENT)
        assert not list(booted.box.path("/var/lib/virt-ci").glob("*.tar.gz*"))
        assert hub.runner is None


def test_release_that_does_not_exist_is_named() -> None:
    with runner(Hub(), context={"agent": AgentRelease("2.999.0", "0" * 64)}) as booted:
        assert booted.told.code is Reason.DOWNLOAD
        assert "v2.999.0" in booted.told.reason


def test_full_disk_is_named_and_a_larger_one_converges() -> None:
    hub = Hub(archive=agent.archive(VERSION, size_kib=24 * 1_024))
    hub.publish(hub.token())
    with runner(hub, disk_mib=40) as booted:
        assert booted.told.code is Reason.DISK, booted.result.log
        assert "unpack" in booted.told.reason
        assert not booted.box.exists(AGENT)
        assert not booted.box.exists(f"{AGENT}.part")
        booted.box.run("mount", "-o", "remount,size=256m", "/")
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.online()


def test_agent_that_ends_at_once_is_named() -> None:
    hub = Hub()
    hub.archive = _with_broken("bin/runsvc.sh")
    hub.agents.handler = agent.handler(hub.github, {VERSION: hub.archive})
    hub.publish(hub.token())
    with runner(hub, programs={"sleep": "#!/bin/sh\nexec /usr/bin/sleep 1\n"}) as booted:
        assert booted.told.code is Reason.AGENT
        assert not booted.ready()


def test_image_that_the_agent_does_not_run_on_is_named_before_anybody_is_asked() -> None:
    hub = Hub()
    hub.archive = _with_broken("config.sh")
    hub.agents.handler = agent.handler(hub.github, {VERSION: hub.archive})
    with runner(hub) as booted:
        assert booted.told.code is Reason.AGENT
        assert not booted.box.exists(AGENT)
        assert f"/secrets/{SECRET}" not in {call.target for call in hub.cloud.journal.calls}


def test_image_without_a_firewall_registers_nobody() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub, before=without_firewall) as booted:
        assert booted.told.code is Reason.FIREWALL
        assert hub.runner is None
        assert [item.value for item in held(hub.cloud.manager, VAULT, SECRET)][-1] in hub.github.world.registrations


def test_cloud_init_is_done_without_errors() -> None:
    if unavailable():
        pytest.skip(unavailable())
    hub = Hub()
    hub.publish(hub.token())
    with sandbox(hub.services, distribution="ubuntu") as box:
        reason = cloud_init.missing(box)
        if reason:
            pytest.skip(reason)
        seen = cloud_init.boot(box, hub.text())
        assert (seen.status, seen.errors, seen.warnings) == ("done", [], [])
        assert hub.tags["bootstage"] == Stage.READY


def _with_broken(name: str) -> bytes:
    """An archive in which one program ends at once."""
    packed, broken = io.BytesIO(agent.archive(VERSION)), io.BytesIO()
    with tarfile.open(fileobj=packed) as good, tarfile.open(fileobj=broken, mode="w:gz") as made:
        for entry in good:
            content = good.extractfile(entry)
            text = b"#!/bin/sh\nexit 1\n" if entry.name == f"./{name}" else content.read() if content else b""
            entry.size = len(text)
            made.addfile(entry, io.BytesIO(text))
    return broken.getvalue()
