"""A runner starts again: after a restart, after a power cut, and when nothing happened at all."""

import pytest

from tests.boot.runners import AGENT, METADATA, REFUSED, SECRET, Hub, runner
from virtci.core.boot_tags import Stage

ALWAYS = 10**9


def test_registered_runner_comes_back_by_itself_without_a_token() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        hub.publish("used")
        first = hub.runner
        assert first is not None
        first.online = False
        hub.vault.refused = ALWAYS
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert hub.runner is first
        assert booted.online()
        assert booted.ready()
        assert hub.downloads == 1
        assert not [command for command in again.commands if "config.sh" in " ".join(command)]
        assert booted.asks(METADATA) in REFUSED


def test_registered_runner_comes_back_even_without_the_clouds_of_the_machine() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        assert hub.runner is not None
        hub.runner.online = False
        hub.metadata.refused = hub.vault.refused = hub.manager.refused = ALWAYS
        booted.box.reboot()
        assert booted.online()
        assert not booted.ready()


def test_agent_does_not_run_where_jobs_are_not_kept_away() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        assert hub.runner is not None
        hub.runner.online = False
        booted.box.path("/usr/local/lib/virt-ci/runner-isolate.sh").write_text("#!/bin/sh\nexit 1\n")
        assert booted.box.run("systemctl", "is-active", "virt-ci-agent.service").returncode == 0
        again = booted.box.reboot()
        assert again.exit_code != 0
        assert booted.box.run("systemctl", "is-active", "virt-ci-agent.service").returncode != 0


def test_second_run_changes_nothing() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        watched = [f"{AGENT}/.runner", f"{AGENT}/.credentials", f"{AGENT}/config.sh", "/etc/passwd"]
        before = {path: booted.box.path(path).stat().st_mtime_ns for path in watched}
        rules = booted.box.run("iptables-save").stdout
        done = booted.box.run("systemctl", "restart", "virt-ci-boot.service")
        assert done.returncode == 0, done.stderr
        assert {path: booted.box.path(path).stat().st_mtime_ns for path in watched} == before
        assert booted.box.run("systemctl", "restart", "virt-ci-isolation.service").returncode == 0
        assert _without_comments(booted.box.run("iptables-save").stdout) == _without_comments(rules)
        assert hub.downloads == 1
        assert len(hub.github.world.runners) == 1


def test_agent_that_updated_itself_is_left_alone() -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        booted.box.path(f"{AGENT}/bin/updated").write_text("2.340.0")
        assert booted.box.reboot().exit_code == 0
        assert booted.box.exists(f"{AGENT}/bin/updated")


CUTS = {
    "before the rules": "iptables-restore",
    "before the user": "useradd",
    "before the archive": "releases/download",
    "before it is unpacked": "tar\x1f--extract",
    "while it is unpacked": "chown\x1f--recursive",
    "before it is looked whether it runs": "--version",
    "before it is there": "mv\x1f/opt/actions-runner.part",
    "before the token": f"secrets/{SECRET}",
    "before the registration": "--unattended",
    "between registration and service": "virt-ci-agent.service",
}


@pytest.mark.parametrize("where", CUTS)
def test_boot_that_was_cut_short_goes_on_after_a_restart(where: str) -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub, power_cut=CUTS[where]) as booted:
        assert booted.result.exit_code != 0
        assert not booted.ready()
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.ready()
        assert booted.online()
        assert booted.told.stage is Stage.READY


@pytest.mark.parametrize("lost", [".runner", ".credentials"])
def test_registration_that_was_cut_short_is_made_again(lost: str) -> None:
    hub = Hub()
    hub.publish(hub.token())
    with runner(hub) as booted:
        booted.box.path(f"{AGENT}/{lost}").write_text("")
        booted.box.run("systemctl", "disable", "virt-ci-agent.service")
        first = hub.runner
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.online()
        assert first is not None
        assert hub.runner is not None
        assert (hub.runner is not first, hub.runner.id) == (True, first.id)


def _without_comments(rules: str) -> list[str]:
    return [line for line in rules.splitlines() if not line.startswith("#")]
