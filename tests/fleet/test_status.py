"""The status says what is, what needs attention with its fix, and what could not be seen with the reason."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.core.probe_documents import node, probe, record
from tests.fleet.kubevirt_resource import deploy_kubevirt, remove_kubevirt
from tests.fleet.simulated_fleet import MACHINE, SimulatedFleet
from tests.fleet.test_power import kubeconfig
from virtci.core.boot_tags import Boot, Reason, Stage
from virtci.core.hypervisors import Hypervisor
from virtci.fleet import status
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_records import leave_last_test
from virtci.fleet.kubeconfigs import Kubeconfig
from virtci.fleet.power import Condition, Power
from virtci.fleet.status import Fact, Level, Status, look_at, share_of_month
from virtci.outputs.last_test import LastTest

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def seen(fleet: SimulatedFleet, *names: str, now: datetime | None = None) -> Status:
    known = fleet.fleet
    return look_at(fleet.clouds, known, [known.target(name) for name in names], now or datetime.now(UTC))


def facts(found: Status, environment: str = "dev") -> dict[str, Fact]:
    subject = next(item for item in found.environments if item.name == environment)
    return {fact.name: fact for fact in subject.facts}


@pytest.fixture
def api(awake: SimulatedFleet) -> Iterator[Any]:
    assert awake.plane is not None
    with kubernetes(awake.plane.kubeconfig) as found:
        yield found
        remove_kubevirt(found)


@pytest.mark.cluster
def test_an_environment_that_is_as_declared_is_good_in_every_respect(awake: SimulatedFleet, api: Any) -> None:
    from kubernetes.client import CoreV1Api

    deploy_kubevirt(api, ["HyperVL1VH"])
    CoreV1Api(api).create_namespaced_config_map(
        "virt-ci", {"metadata": {"name": "readiness"}, "data": {"record.json": record(node("dev-node", probe()))}}
    )
    leave_last_test(
        api,
        LastTest.model_validate(
            {"at": datetime.now(UTC) - timedelta(hours=3), "result": "passed", "passed": 12, "failed": 0, "skipped": 1,
             "release": "sha256:1", "url": "https://github.com/x"}
        ),
    )  # fmt: skip

    found = facts(seen(awake, "dev"))

    assert {name: (fact.level, fact.fix) for name, fact in found.items()} == dict.fromkeys(
        ("power", "boot", "cluster", "readiness", "gate", "kubevirt", "last test", "kubeconfig", "cost"),
        (Level.GOOD, ""),
    )
    assert found["power"].text == "running"
    assert found["boot"].text == "ready (2026-01-05 08:10 UTC), hypervisor mshv"
    assert found["cluster"].text.startswith("Kubernetes v1.")
    assert found["readiness"].text == "ready for mshv: all 1 of 1 schedulable nodes (2026-05-04 10:00 UTC)"
    assert found["gate"].text == "HyperVL1VH"
    assert found["kubevirt"].text == "v1.8.2-l1vh.17, Deployed"
    assert found["last test"].text == "passed 3 h 0 min ago: 12 passed, 0 failed, 1 skipped"
    assert found["kubeconfig"].text == "good for 6 d 23 h"


@pytest.mark.cluster
def test_a_gate_that_is_declared_and_not_in_effect_needs_attention(awake: SimulatedFleet, api: Any) -> None:
    deploy_kubevirt(api, [], phase="Deploying", version="")

    found = facts(seen(awake, "dev"))

    assert (found["gate"].text, found["gate"].level) == ("off, declared HyperVL1VH", Level.ATTENTION)
    assert found["kubevirt"].text == "version not known yet, Deploying"
    assert found["kubevirt"].level is Level.ATTENTION
    assert found["readiness"].fix == "virtci readiness dev"


@pytest.mark.cluster
def test_a_cluster_without_kubevirt_says_how_to_get_it(awake: SimulatedFleet) -> None:
    found = facts(seen(awake, "dev"))

    assert (found["kubevirt"].text, found["kubevirt"].fix) == ("not deployed", "pulumi up --stack dev-kubevirt")
    assert found["last test"].text == "none yet"


@pytest.mark.cluster
def test_one_record_that_cannot_be_read_hides_nothing_else(awake: SimulatedFleet, api: Any) -> None:
    from kubernetes.client import CoreV1Api

    CoreV1Api(api).create_namespaced_config_map(
        "virt-ci", {"metadata": {"name": "last-test"}, "data": {"record.json": "{"}}
    )

    found = facts(seen(awake, "dev"))

    assert found["last test"].level is Level.UNKNOWN
    assert "ConfigMap virt-ci/last-test" in found["last test"].text
    assert found["cluster"].level is Level.GOOD


def test_a_parked_environment_is_asleep_and_not_broken(fleet: SimulatedFleet) -> None:
    fleet.tell("ready", "boot-1")
    fleet.publish(kubeconfig(), timedelta(hours=-20))
    fleet.power_off()

    found = seen(fleet, "dev")

    assert facts(found)["power"] == Fact("power", "parked")
    assert facts(found)["boot"].level is Level.ASLEEP
    assert facts(found)["cluster"] == Fact("cluster", "parked; virtci wake dev", Level.ASLEEP)
    assert facts(found)["kubeconfig"].text == "expired 20 h 0 min ago; waking renews it"
    assert {fact.level for fact in facts(found).values()} <= {Level.GOOD, Level.ASLEEP}


def test_a_cluster_that_is_not_reached_is_unknown_with_the_reason(fleet: SimulatedFleet) -> None:
    fleet.tell("ready", "boot-1")
    fleet.publish(kubeconfig())

    found = facts(seen(fleet, "dev"))

    assert found["cluster"].level is Level.UNKNOWN
    assert found["cluster"].text.startswith("the cluster of `dev` answers: it was not reached")
    assert found["gate"] == Fact("gate", "the cluster was not reached", Level.UNKNOWN)
    assert found["kubeconfig"].level is Level.GOOD


def test_an_expired_kubeconfig_of_a_running_machine_is_one_clear_line_with_the_fix(fleet: SimulatedFleet) -> None:
    fleet.publish(kubeconfig(), timedelta(minutes=-61))

    found = facts(seen(fleet, "dev"))

    assert found["kubeconfig"].text == "expired 1 h 1 min ago"
    assert found["kubeconfig"].level is Level.ATTENTION
    assert "virtci wake dev" in found["kubeconfig"].fix
    assert found["cluster"].text == "the kubeconfig opens nothing"


def test_what_azure_does_not_tell_this_login_is_unknown_and_the_rest_is_still_there(fleet: SimulatedFleet) -> None:
    machine = fleet.machine.id
    fleet.cloud.manager.store.drop(machine)

    found = seen(fleet, "dev", "test-kvm")

    assert facts(found)["power"].level is Level.UNKNOWN
    assert "404" in facts(found)["power"].text
    assert facts(found)["kubeconfig"].text == "never published"
    assert facts(found, "test-kvm")["power"] == Fact("power", "running")
    assert found.worst is Level.ATTENTION


def test_the_budget_that_this_login_may_not_read_is_unknown(fleet: SimulatedFleet) -> None:
    found = seen(fleet, "dev")

    assert [item.name for item in found.stacks] == ["test"]
    fact = found.stacks[0].facts[0]
    assert fact.level is Level.UNKNOWN
    assert "budget virt-ci-test" in fact.text


def test_what_azure_has_counted_is_shown_beside_the_budget(fleet: SimulatedFleet) -> None:
    budget(fleet, spent=150.4)
    as_deployer(fleet)

    fact = seen(fleet, "dev").stacks[0].facts[0]
    assert fact == Fact("budget", "150 of 200 USD spent this month, as Azure counts, a day late")


def test_a_budget_that_is_used_up_needs_attention(fleet: SimulatedFleet) -> None:
    budget(fleet, spent=201)
    as_deployer(fleet)

    assert seen(fleet, "dev").stacks[0].facts[0].level is Level.ATTENTION


def test_the_cost_is_called_an_estimate_of_list_prices_and_grows_with_the_month(fleet: SimulatedFleet) -> None:
    """dev: 260 h of D8s_v5 in westus and a disk of 30 GiB; the pools of the cluster by their own lifetime."""
    half = datetime(2026, 4, 16, tzinfo=UTC)

    found = seen(fleet, "dev", "test-kvm", now=half)

    month = float(facts(found)["cost"].text.split(" of ")[1].split()[0])
    share = float(facts(found)["cost"].text.split()[1])
    assert month > 0
    assert share == pytest.approx(month / 2, abs=1)
    assert facts(found)["cost"].text.endswith("by list prices and lifetime class")
    assert facts(found, "test-kvm")["cost"].level is Level.GOOD


@pytest.mark.parametrize(
    ("moment", "share"),
    [
        (datetime(2026, 2, 1, tzinfo=UTC), 0.0),
        (datetime(2026, 2, 15, tzinfo=UTC), 0.5),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), 30.5 / 31),
    ],
)
def test_the_share_of_a_month_is_that_of_its_own_length(moment: datetime, share: float) -> None:
    assert share_of_month(moment) == pytest.approx(share)


def boot(
    stage: Stage, hypervisor: Hypervisor | None, reason: str = "", code: Reason | None = None, minutes: int = 5
) -> Condition:
    return Condition(Power.RUNNING, Boot(stage, "b", NOW - timedelta(minutes=minutes), hypervisor, reason, code))


@pytest.mark.parametrize(
    ("found", "declared", "level", "fix"),
    [
        (boot(Stage.READY, Hypervisor.MSHV), Hypervisor.MSHV, Level.GOOD, ""),
        (boot(Stage.PROBED, None), Hypervisor.MSHV, Level.GOOD, ""),
        (boot(Stage.READY, Hypervisor.KVM, "no /dev/mshv"), Hypervisor.MSHV, Level.ATTENTION, "docs/runbooks/hypervisor-absent.md"),
        (boot(Stage.READY, Hypervisor.MSHV), Hypervisor.EMULATION, Level.GOOD, ""),
        (boot(Stage.FAILED, None, "DISK: full", Reason.DISK), Hypervisor.MSHV, Level.ATTENTION, "give the machine a larger disk (osDiskGib)"),
        (boot(Stage.INSTALLED, None, minutes=90), Hypervisor.MSHV, Level.ATTENTION, "read its boot diagnostics"),
        (Condition(Power.RUNNING), Hypervisor.MSHV, Level.UNKNOWN, "restart it: it tells at every boot"),
    ],
)  # fmt: skip
def test_a_boot_is_judged_by_its_end_and_by_the_hypervisor_it_found(
    found: Condition, declared: Hypervisor, level: Level, fix: str
) -> None:
    fact = status.boot_fact(found, declared, NOW)

    assert (fact.level, fact.fix) == (level, fix)


@pytest.mark.parametrize(
    ("left", "asleep", "text", "level"),
    [
        (timedelta(hours=49), False, "good for 2 d 1 h", Level.GOOD),
        (timedelta(hours=48), False, "expires in 2 d 0 h", Level.ATTENTION),
        (timedelta(minutes=-5), False, "expired 5 min ago", Level.ATTENTION),
        (timedelta(hours=47), True, "expires in 1 d 23 h; waking renews it", Level.ASLEEP),
    ],
)
def test_a_kubeconfig_that_ends_within_two_days_has_missed_its_renewal(
    fleet: SimulatedFleet, left: timedelta, asleep: bool, text: str, level: Level
) -> None:
    fact = status.kubeconfig_fact(fleet.target("dev"), Kubeconfig(kubeconfig(), "1", NOW + left), NOW, asleep)

    assert (fact.text, fact.level) == (text, level)


def test_a_machine_that_was_shut_down_from_inside_is_paid_for(fleet: SimulatedFleet) -> None:
    fact = status.power_fact(Power.STOPPED, fleet.target("dev"))

    assert (fact.level, fact.fix) == (Level.ATTENTION, "virtci park dev --force")


def test_a_test_step_that_is_off_shows_its_reason(fleet: SimulatedFleet) -> None:
    target = fleet.target("dev")
    off = target.part.model_copy(
        update={"tests": target.part.tests.model_copy(update={"enabled": False, "reason": "no device"})}
    )
    from dataclasses import replace

    assert status.last_test_fact(None, replace(target, part=off), NOW).text == "off: no device"


def as_deployer(fleet: SimulatedFleet) -> None:
    assert fleet.clouds.rehearsed is not None
    fleet.clouds = type(fleet.clouds)(
        fleet.clouds.subscription, fleet.clouds.rehearsed.model_copy(update={"token": "anybody"})
    )


def budget(fleet: SimulatedFleet, spent: float) -> None:
    contacts = {"enabled": True, "operator": "GreaterThan", "threshold": 80, "contactEmails": ["a@example.org"]}
    made, _ = fleet.cloud.create(
        "consumption:Budget",
        budgetName="virt-ci-test",
        scope=f"/subscriptions/{fleet.clouds.subscription}",
        amount=200,
        category="Cost",
        timeGrain="Monthly",
        timePeriod={"startDate": "2026-01-01T00:00:00Z"},
        notifications={"actual-80": contacts},
    )
    record = fleet.cloud.manager.store.get(made)
    assert record is not None
    record.properties["currentSpend"] = {"amount": spent, "unit": "USD"}


def test_the_machine_is_named_beside_its_environment(fleet: SimulatedFleet) -> None:
    assert seen(fleet, "dev").environments[0].compute == f"machine {MACHINE}"
