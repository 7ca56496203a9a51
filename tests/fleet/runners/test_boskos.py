"""Leases in the real Boskos: lost answers, late caches, a server that is killed, and what it takes without a word."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from components.boskos import config_map, deployment, reaper_arguments, service
from tests.fleet.runners.houses import BoskosHouse, eventually, granted, refused
from tests.fleet.runners.test_lease_stores import DEAD, LAUNCHERS, Witness, live
from virtci.core.manifests import POD_SECURITY
from virtci.core.problems import Refusal
from virtci.core.runners.boskos_records import GROUP, SLOTS, VERSION, Owner
from virtci.core.runners.leases import Claim, Lease
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi, ClusterError
from virtci.fleet.runners.boskos import BoskosLeases
from virtci.fleet.runners.boskos_api import through
from virtci.fleet.waiting import Pace
from virtci.rehearsal.kubernetes.processes import Options
from virtci.rehearsal.programs import path_of

pytestmark = [pytest.mark.program("boskos"), pytest.mark.cluster]

MakeHouse = Callable[[int], BoskosHouse]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KILLS = 3


@dataclass
class Meddler(httpx.BaseTransport):
    """The way to the server, on which something happens to the first requests for a path."""

    path: str
    meddle: Callable[[Callable[[], httpx.Response]], httpx.Response]
    times: int = 1
    _way: httpx.HTTPTransport = field(default_factory=httpx.HTTPTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != self.path or not self.times:
            return self._way.handle_request(request)
        self.times -= 1
        return self.meddle(lambda: self._way.handle_request(request))


def lose(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The server does what it is asked for and ends before it answers."""
    ask().read()
    raise httpx.RemoteProtocolError("killed")


def late_cache(_: Callable[[], httpx.Response]) -> httpx.Response:
    """What the server says of a slot that it has not seen as leased yet."""
    return httpx.Response(401, text="Update failed: owner mismatch request by somebody, currently owned by ")


def conflict(_: Callable[[], httpx.Response]) -> httpx.Response:
    return httpx.Response(500, text="Acquire failed: the object has been modified")


def given_up() -> Pace:
    """A launcher that is killed before it asks a second time."""
    moments = iter(NOW + number * timedelta(hours=1) for number in range(100))
    return Pace(lambda: next(moments), time.sleep, 0.0)


def owner(holder: str, index: int = 0, units: int = 1, since: datetime = NOW) -> Owner:
    return Owner(holder=holder, index=index, units=units, since=since, attempt="0")


def test_nothing_is_free_and_nothing_of_that_type_are_different(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    granted(place.store(), "run-1", place.pool)

    assert place.api().acquire(place.pool, owner("run-2"), "run-2") is None
    with pytest.raises(Refusal, match="`nowhere` is a pool of the lease server"):
        place.api().acquire("nowhere", owner("run-2"), "run-2")


def test_what_was_leased_while_the_answer_got_lost_is_taken_over(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(3)
    store = BoskosLeases(place.api(Meddler("/acquire", lose)))

    lease = granted(store, "run-1", place.pool, 2)

    assert {slot.name for slot in place.records() if slot.owner} == set(lease.slots)


def test_what_was_leased_by_a_launcher_that_died_without_the_answer_comes_back(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(2)
    doomed = BoskosLeases(place.api(Meddler("/acquire", lose)), pace=given_up())
    with pytest.raises(Refusal, match="settles what it is asked for"):
        doomed.acquire(Claim(holder="dead", pool=place.pool, units=2))
    assert len([slot for slot in place.records() if slot.owner]) == 1
    place.pass_time(2 * DEAD)

    (reaped,) = eventually(lambda: place.store().reap(DEAD))

    assert reaped.holder == "dead"
    assert len(granted(place.store(), "alive", place.pool, 2).slots) == 2


def test_a_unit_that_was_leased_twice_is_given_back_once_and_the_last_one_counts(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(3)
    lease = granted(place.store(), "run-1", place.pool)
    late = place.api().acquire(place.pool, owner("run-1"), "the first attempt, which came last")
    place.store().heartbeat("run-1")

    again = granted(place.store(), "run-1", place.pool)

    assert again.slots == lease.slots
    assert late not in lease.slots
    assert {slot.name for slot in place.records() if slot.owner} == set(lease.slots)


def test_what_a_holder_gives_back_meanwhile_was_not_reaped(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    granted(place.store(), "alive", place.pool)

    def give_back(ask: Callable[[], httpx.Response]) -> httpx.Response:
        place.store().release("alive")
        return ask()

    reaped = BoskosLeases(place.api(Meddler("/reset", give_back))).reap(DEAD)

    assert reaped == []
    assert place.store().leases() == []


@pytest.mark.parametrize("path", ["/update", "/release"])
@pytest.mark.parametrize("meddle", [late_cache, conflict, lose])
def test_what_is_not_settled_yet_is_asked_for_again(
    house_of_boskos: MakeHouse, path: str, meddle: Callable[..., httpx.Response]
) -> None:
    place = house_of_boskos(1)
    store = BoskosLeases(place.api(Meddler(path, meddle, times=2)))
    granted(store, "run-1", place.pool)

    store.heartbeat("run-1")
    store.release("run-1")

    assert store.leases() == []
    granted(place.store(), "run-2", place.pool)


def test_a_conflict_of_acquisitions_is_tried_again(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(2)
    store = BoskosLeases(place.api(Meddler("/acquire", conflict)))

    assert len(granted(store, "run-1", place.pool, 2).slots) == 2


@pytest.mark.parametrize("overtaking", ["before", "after"])
def test_two_that_saw_the_same_room_are_not_both_granted_it(house_of_boskos: MakeHouse, overtaking: str) -> None:
    place = house_of_boskos(3)
    other = Claim(holder="quick", pool=place.pool, units=1)
    told = []

    def overtaken(ask: Callable[[], httpx.Response]) -> httpx.Response:
        if overtaking == "before":
            told.append(place.store().acquire(other, 1))
            return ask()
        answer = ask()
        answer.read()
        told.append(place.store().acquire(other, 1))
        return answer

    told.append(BoskosLeases(place.api(Meddler("/acquire", overtaken))).acquire(replace(other, holder="slow"), 1))

    granted_to = [found.holder for found in told if isinstance(found, Lease)]
    assert granted_to == (["quick"] if overtaking == "before" else ["slow"])
    assert [lease.holder for lease in place.store().leases()] == granted_to


def test_a_server_that_does_not_answer_is_named(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    store = BoskosLeases(place.api(url="http://127.0.0.1:1"), pace=given_up())

    with pytest.raises(Refusal) as refusal:
        store.acquire(Claim(holder="run-1", pool=place.pool, units=1))

    assert "http://127.0.0.1:1 does not answer (ConnectError)" in refusal.value.consequence


def test_a_friendly_answer_of_another_path_is_no_lease(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    store = BoskosLeases(place.api(url=f"{place.server.url}/elsewhere"))

    with pytest.raises(Refusal, match="elsewhere/ is the address of Boskos"):
        store.acquire(Claim(holder="run-1", pool=place.pool, units=1))


def test_units_in_a_state_that_nobody_asks_for_are_named_and_not_counted(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(2)
    lease = granted(place.store(), "run-1", place.pool)
    (slot,) = (slot for slot in place.records() if slot.owner)
    query = {"name": slot.name, "owner": slot.owner, "dest": "banana"}
    eventually(lambda: httpx.post(f"{place.server.url}/release", params=query).is_success)
    granted(place.store(), "run-2", place.pool)

    waiting = refused(place.store(), "run-3", place.pool)

    assert waiting.reason == "0 of 2 units are free, 1 asked for; nobody ever asks for units in the state banana"
    with pytest.raises(Refusal, match="it has 1 in all"):
        place.store().acquire(Claim(holder="run-4", pool=place.pool, units=2))
    assert lease.slots == (slot.name,)


def test_what_others_lease_is_not_free_and_not_ours(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    query = {"type": place.pool, "state": "free", "dest": "leased", "owner": "a person"}
    httpx.post(f"{place.server.url}/acquire", params=query).raise_for_status()

    refused(place.store(), "run-1", place.pool)

    assert place.store().leases() == []


def test_a_holder_that_could_not_be_read_back_is_refused(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)

    with pytest.raises(Refusal, match="without `/`"):
        place.store().acquire(Claim(holder="owner/run", pool=place.pool, units=1))


def test_slots_come_and_go_with_the_configuration_but_never_from_under_a_lease(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(2)
    lease = granted(place.store(), "run-1", place.pool)
    (left,) = set(place.slots) - set(lease.slots)

    place.server.configure({place.pool: (f"{place.pool}-new",), place.other: ("elsewhere-01",)})

    eventually(lambda: {slot.name for slot in place.records()} == {*lease.slots, f"{place.pool}-new"})
    place.store().heartbeat("run-1")
    place.store().release("run-1")
    eventually(lambda: {slot.name for slot in place.records()} == {f"{place.pool}-new"})
    assert granted(place.store(), "run-2", place.pool).slots != (left,)


def test_the_account_of_launchers_reads_slots_and_nothing_else(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    path = f"/apis/{GROUP}/{VERSION}/namespaces/virt-ci/{SLOTS}"

    with kubernetes(place.server.launcher) as client:
        cluster = ClusterApi(client)
        attempts = [
            ("PATCH", f"{path}/{place.slots[0]}", {"status": {"owner": "me"}}, "application/merge-patch+json"),
            ("DELETE", f"{path}/{place.slots[0]}", {}, "application/json"),
            ("GET", "/api/v1/namespaces/virt-ci/secrets", None, "application/json"),
            ("GET", "/api/v1/namespaces/virt-ci/services/another:api/proxy/", None, "application/json"),
        ]
        for method, target, body, kind in attempts:
            with pytest.raises(ClusterError) as refused_by_server:
                cluster.request(method, target, body=body, content_type=kind)
            assert refused_by_server.value.status == 403, target
        with pytest.raises(Refusal) as absent:
            through(client).acquire(place.pool, owner("run-1"), "run-1")

    said = absent.value.consequence
    assert "404" in said, "it may ask, but no pod of a rehearsed cluster runs"
    assert "not found" in said


def test_the_api_server_takes_all_that_is_declared_and_its_pod_under_the_strictest_rules(
    house_of_boskos: MakeHouse,
) -> None:
    place = house_of_boskos(1)
    image = "registry.example/boskos@sha256:" + "a" * 64
    server = deployment(image, image, DEAD)
    strict = {"name": "strict", "labels": {POD_SECURITY: "restricted"}}
    pod = {"metadata": {"name": "boskos", "namespace": "strict"}, "spec": server["spec"]["template"]["spec"]}

    with kubernetes(place.server.plane.kubeconfig) as client:
        cluster = ClusterApi(client)
        for manifest in (config_map({place.pool: place.slots}), server, service()):
            cluster.apply(manifest, "tests", dry_run=True)
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": strict}, "tests")
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "boskos", "namespace": "strict"}}
        cluster.apply(account, "tests")
        taken = cluster.apply({"apiVersion": "v1", "kind": "Pod", **pod}, "tests", dry_run=True)

    assert [volume["name"] for volume in taken["spec"]["volumes"]] == ["configuration", "account"]


@pytest.mark.program("boskos-reaper")
def test_the_reaper_watches_the_pools_of_the_configuration(house_of_boskos: MakeHouse) -> None:
    place = house_of_boskos(1)
    household = place.server.plane.kubelets.household
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in reaper_arguments(DEAD))
    own: Options = {"boskos-url": place.server.url, "resource-type-from-config": place.server.folder / "config.yaml"}

    reaper = household.start("reaper", path_of("boskos-reaper"), {**flags, **own})

    pools = f"resource types: [{' '.join(sorted((place.pool, place.other)))}]"
    eventually(lambda: pools in reaper.log.read_text() or reaper.has_ended())
    assert not reaper.has_ended(), reaper.end_of_log()
    reaper.stop()


def test_a_server_that_is_killed_again_and_again_leases_nothing_twice_and_loses_nothing(
    house_of_boskos: MakeHouse,
) -> None:
    place = house_of_boskos(12)
    witness = Witness()
    claims = [Claim(holder=f"run-{number}", pool=place.pool, units=number % 3 + 1) for number in range(LAUNCHERS)]
    stores = [place.store() for _ in claims]

    with ThreadPoolExecutor(LAUNCHERS) as pool:
        lives = [pool.submit(live, store, claim, witness) for store, claim in zip(stores, claims, strict=True)]
        for kill in range(1, KILLS + 1):
            eventually(lambda: len(witness.served) >= kill * LAUNCHERS // (KILLS + 2) or _all_done(lives))  # noqa: B023  called before the next round
            place.server.kill()
            place.server.start()
        for life in lives:
            life.result()

    assert sorted(witness.served) == sorted(claim.holder for claim in claims)
    assert place.store().leases() == []
    eventually(place.is_cleared)
    assert len(granted(place.store(), "afterwards", place.pool, 12).slots) == 12


def _all_done(lives: list[Future[None]]) -> bool:
    return all(life.done() for life in lives)
