"""Waking and parking: idempotent, awake by a positive signal only, and nobody's tests are cut off."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.fleet.simulated_fleet import MACHINE, SimulatedFleet, give, role
from virtci.core.problems import Refusal
from virtci.fleet import lease
from virtci.fleet.clouds import Clouds, kubernetes
from virtci.fleet.power import Power, condition, park, wake

DEADLINE = timedelta(minutes=30)


def woken(fleet: SimulatedFleet, name: str = "dev") -> bool:
    return wake(fleet.clouds, fleet.target(name), fleet.pace, fleet.said.append, DEADLINE)


def parked(fleet: SimulatedFleet, name: str = "dev", *, force: bool = False, holder: str = "") -> bool:
    return park(fleet.clouds, fleet.target(name), fleet.pace, fleet.said.append, force=force, holder=holder)


def power(fleet: SimulatedFleet, name: str = "dev") -> Power:
    return condition(fleet.clouds, fleet.target(name)).power


@pytest.mark.cluster
def test_a_parked_machine_is_started_and_waited_for_until_this_boot_is_ready(awake: SimulatedFleet) -> None:
    awake.power_off()
    awake.naps = [
        lambda: awake.tell("booting", "boot-2"),
        lambda: awake.tell("installed", "boot-2"),
        lambda: awake.tell("ready", "boot-2"),
    ]

    assert woken(awake) is True
    assert power(awake) is Power.RUNNING
    assert awake.naps == awake.naps[-1:], "it did not wait for the last word of the boot"
    assert awake.said[0] == f"{MACHINE} is parked; starting it"
    assert awake.said[1:4] == [f"{MACHINE}: booting", f"{MACHINE}: installed", f"{MACHINE}: ready"]
    assert awake.said[4].startswith("`dev` is awake: Kubernetes v1.")


@pytest.mark.cluster
def test_a_machine_that_runs_is_left_alone(awake: SimulatedFleet) -> None:
    assert woken(awake) is False
    assert awake.slept == 0


@pytest.mark.cluster
def test_a_machine_whose_tags_a_deployment_took_away_is_judged_by_its_cluster(awake: SimulatedFleet) -> None:
    awake.machine.body["tags"] = {}

    assert woken(awake) is False


@pytest.mark.cluster
def test_a_new_machine_that_has_not_spoken_yet_is_waited_for(awake: SimulatedFleet) -> None:
    """Its cluster is not the one of the kubeconfig in the vault; what it says of its boot is the first sign."""

    def ready() -> None:
        awake.publish()
        awake.tell("ready", "boot-2")

    awake.machine.body["tags"] = {}
    awake.publish(kubeconfig())
    awake.naps = [
        lambda: None,
        lambda: awake.tell("installed", "boot-2"),
        ready,
    ]

    assert woken(awake) is False
    assert awake.said[:2] == [f"{MACHINE}: installed", f"{MACHINE}: ready"]


def test_the_word_of_an_earlier_boot_is_not_taken_for_this_one(fleet: SimulatedFleet) -> None:
    fleet.tell("ready", "boot-1")
    fleet.power_off()

    with pytest.raises(Refusal) as refused:
        woken(fleet)

    assert refused.value.rule == f"machine {MACHINE} is ready within 30 minutes of its start"
    assert refused.value.consequence == "this boot has not said a word"
    assert f"get-boot-log --resource-group rg --name {MACHINE}" in refused.value.fix
    assert fleet.slept >= DEADLINE.total_seconds()


def test_a_boot_that_gets_stuck_is_named_with_the_stage_that_it_reached(fleet: SimulatedFleet) -> None:
    fleet.power_off()
    fleet.naps = [lambda: fleet.tell("probed", "boot-2", at="08:12:00"), lambda: None]

    with pytest.raises(Refusal) as refused:
        woken(fleet)

    assert refused.value.consequence == "it came to `probed` at 08:12 UTC"


def test_a_boot_that_fails_ends_the_waiting_with_the_machines_own_reason(fleet: SimulatedFleet) -> None:
    fleet.power_off()
    reason = "CHECKSUM: the checksum of k3s is not the pinned one"
    fleet.naps = [lambda: fleet.tell("failed", "boot-2", reason=reason)]

    with pytest.raises(Refusal) as refused:
        woken(fleet)

    assert refused.value.consequence == reason
    assert "compare the pinned checksum" in refused.value.fix
    assert fleet.slept < DEADLINE.total_seconds() / 2


def test_a_ready_machine_with_an_expired_kubeconfig_is_not_awake(fleet: SimulatedFleet) -> None:
    fleet.tell("ready", "boot-1")
    fleet.publish(text=kubeconfig(), good_for=timedelta(hours=-1))

    with pytest.raises(Refusal, match="the kubeconfig of `dev` is good; it expired"):
        woken(fleet)


def test_parking_waits_for_nobody_who_is_not_there(fleet: SimulatedFleet) -> None:
    with pytest.raises(Refusal, match="that cannot be told") as refused:
        parked(fleet)
    assert "virtci park dev --force" in refused.value.fix
    assert power(fleet) is Power.RUNNING

    assert parked(fleet, force=True) is True
    assert power(fleet) is Power.PARKED
    assert parked(fleet) is False


@pytest.mark.cluster
def test_an_environment_in_use_is_parked_by_its_user_only(awake: SimulatedFleet) -> None:
    assert awake.plane is not None
    with kubernetes(awake.plane.kubeconfig) as api:
        lease.acquire(api, "org/kubevirt/run-7", datetime.now(UTC))

    with pytest.raises(Refusal, match=r"`org/kubevirt/run-7` does since") as refused:
        parked(awake, holder="org/kubevirt/run-8")
    assert refused.value.consequence == "its tests would end in the middle"
    assert power(awake) is Power.RUNNING

    assert parked(awake, holder="org/kubevirt/run-7") is True


@pytest.mark.cluster
def test_an_environment_that_nobody_uses_is_parked(awake: SimulatedFleet) -> None:
    assert parked(awake) is True
    assert power(awake) is Power.PARKED


def test_a_cluster_is_parked_and_woken_by_its_own_word(fleet: SimulatedFleet) -> None:
    assert parked(fleet, "test-kvm", force=True) is True
    assert power(fleet, "test-kvm") is Power.PARKED
    assert parked(fleet, "test-kvm") is False

    # The kubeconfig of the cluster needs a program and a login that a test does not have.
    with pytest.raises(Refusal, match="`kubelogin` is on PATH"):
        woken(fleet, "test-kvm")
    assert power(fleet, "test-kvm") is Power.RUNNING
    assert fleet.said[1] == "aks is parked; starting it"


def test_an_identity_without_the_role_can_neither_look_nor_wake(fleet: SimulatedFleet) -> None:
    _, stranger = fleet.cloud.identity("stranger")
    assert fleet.clouds.rehearsed is not None
    rehearsed = fleet.clouds.rehearsed.model_copy(update={"token": stranger["principalId"]})
    clouds = Clouds(fleet.clouds.subscription, rehearsed)

    with pytest.raises(Refusal, match="answers this login") as refused:
        wake(clouds, fleet.target("dev"), fleet.pace, fleet.said.append)
    assert "give this login its role" in refused.value.fix


def test_an_identity_that_may_only_look_cannot_wake(fleet: SimulatedFleet) -> None:
    _, watcher = fleet.cloud.identity("watcher")
    give(
        fleet.cloud,
        str(watcher["principalId"]),
        role(fleet.cloud, "look", ["Microsoft.Compute/*/read"]),
        fleet.machine.id,
    )
    fleet.cloud.clock.advance(3600)
    fleet.power_off()
    assert fleet.clouds.rehearsed is not None
    clouds = Clouds(
        fleet.clouds.subscription, fleet.clouds.rehearsed.model_copy(update={"token": watcher["principalId"]})
    )

    with pytest.raises(Refusal, match=f"starting machine {MACHINE} answers this login"):
        wake(clouds, fleet.target("dev"), fleet.pace, fleet.said.append)
    assert power(fleet) is Power.PARKED


def kubeconfig() -> str:
    """One that is well-formed and leads nowhere."""
    return (
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        "users: [{name: a, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
    )
