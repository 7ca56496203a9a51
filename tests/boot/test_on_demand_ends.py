"""How the life of an on-demand machine ends, or goes on: eviction, deadline, being kept, power cuts and restarts."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.boot.on_demand import AGENT, LABEL, PLACES, AzurePlace, Ec2Place
from tests.boot.on_demand_machines import machine
from virtci.core.boot_tags import Reason, Stage
from virtci.core.runners.boot_record import failure_of
from virtci.core.runners.clouds import Serves
from virtci.core.runners.failures import Code

BOTH = pytest.mark.parametrize("cloud", PLACES, ids=lambda place: str(place.cloud))
ALWAYS = 10**9
Clouds = type[AzurePlace] | type[Ec2Place]


@BOTH
def test_nothing_happens_while_the_platform_leaves_it_alone(cloud: Clouds) -> None:
    place = cloud(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.online()
        assert booted.box.start("virt-ci-spot.service").exit_code == 0
        assert booted.told.stage is Stage.READY
        assert booted.box.run("systemctl", "is-active", "virt-ci-agent.service").returncode == 0


@BOTH
@pytest.mark.parametrize("serves", Serves)
def test_eviction_is_told_and_github_notices_at_once(cloud: Clouds, serves: Serves) -> None:
    place = cloud(serves)
    place.deliver()
    job = place.job("/usr/bin/sleep 600")
    with machine(place) as booted:
        assert booted.soon(lambda: job.status == "in_progress"), booted.result.log
        place.take_back()
        booted.box.start("virt-ci-spot.service")
        assert booted.serves(job)
        assert job.conclusion == "cancelled"
        assert place.runner is None or not place.runner.online
        if serves is Serves.JOB:
            assert booted.soon(lambda: booted.box.is_off)
        assert (booted.told.stage, booted.told.code) == (Stage.FAILED, Reason.SPOT_EVICTED)
        assert "19" in booted.told.reason
        assert failure_of(booted.told) is Code.SPOT_EVICTED


@BOTH
def test_machine_goes_down_at_its_deadline_and_not_before(cloud: Clouds) -> None:
    place = cloud(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.box.start("virt-ci-deadline.service").exit_code == 0
        assert not booted.box.is_off
        booted.box.advance(6 * 3_600)
        booted.box.start("virt-ci-deadline.service")
        assert booted.soon(lambda: booted.box.is_off)
        assert booted.told.code is Reason.DEADLINE


@BOTH
def test_deadline_needs_no_network_and_nothing_that_it_can_read(cloud: Clouds) -> None:
    place = cloud(Serves.RUN)
    place.metadata.refused = ALWAYS
    with machine(place) as booted:
        assert booted.result.exit_code != 0
        assert place.told is None
        booted.box.path("/etc/virt-ci/boot.env").write_text("")
        booted.box.start("virt-ci-deadline.service")
        assert booted.soon(lambda: booted.box.is_off)


@BOTH
def test_machine_that_was_kept_comes_back_for_people_until_its_new_deadline(cloud: Clouds) -> None:
    place = cloud(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.online()
        booted.box.advance(24 * 3_600)
        assert place.runner is not None
        place.runner.online = False
        end = datetime.now(UTC) + timedelta(hours=26)
        place.tag(deadline=end.strftime("%Y-%m-%dT%H:%M:%SZ"), keep_until="2026-01-12T08:00:00Z")
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.ready()
        assert "kept until 2026-01-12T08:00:00Z, for people" in again.log
        assert booted.box.run("systemctl", "is-active", "virt-ci-agent.service").returncode != 0
        booted.box.start("virt-ci-deadline.service")
        assert not booted.box.is_off
        place.tag(deadline=(end + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        booted.box.advance(3 * 3_600)
        booted.box.start("virt-ci-deadline.service")
        assert not booted.box.is_off, "it was given more time"
        booted.box.advance(2 * 3_600)
        booted.box.start("virt-ci-deadline.service")
        assert booted.soon(lambda: booted.box.is_off)
        assert not place.runner.online


def test_machine_that_came_back_as_nobody_lets_people_in_all_the_same() -> None:
    """In Azure it is another machine around a copy of the disk, without an identity: it can tell nobody how far it is."""
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.online()
        told = booted.told
        end = datetime.now(UTC) + timedelta(hours=4)
        place.tag(deadline=end.strftime("%Y-%m-%dT%H:%M:%SZ"), keep_until="2026-01-12T08:00:00Z")
        place.take_identity()
        booted.box.path("/home/kontain/.ssh/authorized_keys").unlink()

        again = booted.box.reboot()

        assert again.exit_code == 0, again.log
        assert booted.ready()
        assert booted.told == told
        assert booted.box.read("/home/kontain/.ssh/authorized_keys") == booted.box.read("/etc/virt-ci/people.keys")


CUTS = {
    "before the probe": "probe.json",
    "while the agent is unpacked": "chown\x1f--recursive",
    "before the registration is asked for": "./config.sh\x1f--version",
    "between registration and start": "virt-ci-agent.service",
    "before the registration is spent": "sleep\x1f5",
}


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize(("cloud", "serves"), [(AzurePlace, Serves.RUN), (Ec2Place, Serves.JOB)])
def test_boot_that_was_cut_short_goes_on_after_a_restart(cloud: Clouds, serves: Serves, where: str) -> None:
    place = cloud(serves)
    place.deliver()
    with machine(place, power_cut=CUTS[where]) as booted:
        assert booted.result.exit_code != 0
        assert not booted.ready()
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.online()
        assert booted.told.stage is Stage.READY
        assert place.registration in ("used", "none")
        job = place.job("true")
        assert booted.serves(job)
        assert job.conclusion == "success"


def test_runner_of_a_run_comes_back_after_a_restart_without_another_registration() -> None:
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        runner = place.runner
        assert runner is not None
        assert booted.online()
        runner.online = False
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.online()
        assert place.runner is runner
        assert not [command for command in again.commands if "--unattended" in " ".join(command)]


def test_second_run_changes_nothing() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.online()
        watched = [f"{AGENT}/.runner", f"{AGENT}/.credentials", f"{AGENT}/config.sh", "/etc/passwd", "/etc/group"]
        before = {path: booted.box.path(path).stat().st_mtime_ns for path in watched}
        done = booted.box.run("systemctl", "restart", "virt-ci-boot.service")
        assert done.returncode == 0, done.stderr
        assert {path: booted.box.path(path).stat().st_mtime_ns for path in watched} == before
        assert place.downloads == 1
        assert [item.name for item in place.github.world.runners.values()] == [LABEL]
