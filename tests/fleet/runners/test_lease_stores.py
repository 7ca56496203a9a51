"""Every store of leases: no unit twice, none lost, waiting that ends, and what a dead holder had comes back."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.fleet.runners.houses import House, awaited, eventually, granted, refused
from virtci.core.problems import Refusal
from virtci.core.runners.leases import Claim, Lease, LeaseLost, LeaseStore

MakeHouse = Callable[[int], House]
LAUNCHERS = 40
HOLD = 0.02
CROWDED = 0.25
"""Seconds for which a unit is held, and between two questions of one of many."""
DEAD = timedelta(minutes=30)


@dataclass
class Witness:
    """Sees whether a unit is in two hands."""

    hands: dict[str, str] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    most: int = 0
    """Units that were in hands at once."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def given(self, lease: Lease) -> None:
        with self._lock:
            twice = {slot: self.hands[slot] for slot in lease.slots if slot in self.hands}
            assert not twice, f"{lease.holder} got what others have: {twice}"
            self.hands |= dict.fromkeys(lease.slots, lease.holder)
            self.served.append(lease.holder)
            self.most = max(self.most, len(self.hands))

    def given_back(self, lease: Lease) -> None:
        with self._lock:
            for slot in lease.slots:
                del self.hands[slot]


def test_a_claim_gets_slots_of_its_pool(house: MakeHouse) -> None:
    place = house(3)

    lease = granted(place.store(), "run-1", place.pool, 2)

    assert lease.holder == "run-1"
    assert lease.pool == place.pool
    assert len(set(lease.slots)) == 2
    assert set(lease.slots) <= set(place.slots)
    assert place.store().leases() == [lease]


def test_asking_again_changes_nothing(house: MakeHouse) -> None:
    place = house(3)
    first = granted(place.store(), "run-1", place.pool, 2)

    again = granted(place.store(), "run-1", place.pool, 2)

    assert (again.slots, again.since) == (first.slots, first.since)
    assert len(place.store().leases()) == 1


def test_a_unit_is_leased_once(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()

    leases = [granted(store, f"run-{number}", place.pool) for number in range(3)]

    assert sorted(slot for lease in leases for slot in lease.slots) == sorted(place.slots)
    waiting = refused(store, "run-3", place.pool)
    assert (waiting.pool, waiting.free) == (place.pool, 0)
    assert "0 of 3 units are free" in waiting.reason


def test_who_waits_is_granted_what_becomes_free(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    first = granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool)

    store.release("run-1")

    assert awaited(store, "run-2", place.pool).slots == first.slots


def test_a_place_in_the_queue_is_kept(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool)
    refused(store, "run-3", place.pool)
    refused(store, "run-2", place.pool)

    store.release("run-1")

    refused(store, "run-3", place.pool)
    awaited(store, "run-2", place.pool)


def test_a_launcher_that_was_started_anew_keeps_its_place(house: MakeHouse) -> None:
    place = house(1)
    granted(place.store(), "run-1", place.pool)
    refused(place.store(), "run-2", place.pool)
    refused(place.store(), "run-3", place.pool)
    refused(place.store(), "run-2", place.pool)

    place.store().release("run-1")

    refused(place.store(), "run-3", place.pool)
    awaited(place.store(), "run-2", place.pool)


def test_who_leaves_the_queue_holds_up_nobody(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool)
    refused(store, "run-3", place.pool)

    store.release("run-2")
    store.release("run-1")

    awaited(store, "run-3", place.pool)


def test_several_units_are_granted_together_or_not_at_all(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()
    granted(store, "run-1", place.pool, 2)

    refused(store, "run-2", place.pool, 2)

    assert [lease.holder for lease in store.leases()] == ["run-1"]
    store.release("run-1")
    assert len(set(awaited(store, "run-2", place.pool, 2).slots)) == 2


def test_claims_of_several_units_do_not_wait_for_each_other(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()
    holders = [f"run-{number}" for number in range(4)]
    done: list[str] = []

    def round_of_all() -> bool:
        for holder in holders:
            if holder not in done and isinstance(store.acquire(Claim(holder=holder, pool=place.pool, units=2)), Lease):
                store.release(holder)
                done.append(holder)
        return len(done) == len(holders)

    assert eventually(round_of_all)


def test_a_large_claim_does_not_starve_behind_small_ones(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    granted(store, "small-1", place.pool)
    granted(store, "small-2", place.pool)
    refused(store, "large", place.pool, 2)
    refused(store, "small-3", place.pool)

    store.release("small-1")
    refused(store, "large", place.pool, 2)
    refused(store, "small-3", place.pool)
    store.release("small-2")

    assert len(awaited(store, "large", place.pool, 2).slots) == 2


def test_a_part_of_a_claim_is_given_back_when_another_pool_grants_it(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool, 2)

    granted(store, "run-2", place.other)

    awaited(store, "run-3", place.pool)


def test_a_claim_of_another_size_takes_the_place_of_the_first(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool, 2)

    assert len(awaited(store, "run-2", place.pool).slots) == 1


def test_what_a_dead_holder_had_comes_back(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    dead = granted(store, "dead", place.pool, 2)
    place.pass_time(2 * DEAD)

    (reaped,) = eventually(lambda: store.reap(DEAD))

    assert (reaped.holder, reaped.slots) == ("dead", dead.slots)
    assert store.leases() == []
    assert granted(store, "alive", place.pool, 2).slots == dead.slots


def test_who_gives_signs_of_life_keeps_what_he_has(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()
    for holder, units in (("alive", 2), ("dead", 1)):
        granted(store, holder, place.pool, units)
    place.pass_time(2 * DEAD)

    store.heartbeat("alive")

    assert [lease.holder for lease in eventually(lambda: store.reap(DEAD))] == ["dead"]
    assert [lease.holder for lease in store.leases()] == ["alive"]


def test_nothing_is_reaped_before_its_time(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    granted(store, "alive", place.pool)

    assert store.reap(DEAD) == []
    assert len(store.leases()) == 1


def test_who_was_reaped_is_told_by_his_next_sign_of_life(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    granted(store, "dead", place.pool)
    place.pass_time(2 * DEAD)
    eventually(lambda: store.reap(DEAD))

    with pytest.raises(LeaseLost, match="dead"):
        store.heartbeat("dead")


def test_who_has_no_lease_gives_no_signs_of_life(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool, 2)

    for holder in ("run-2", "nobody"):
        with pytest.raises(LeaseLost, match=holder):
            store.heartbeat(holder)


def test_giving_back_twice_is_giving_back_once(house: MakeHouse) -> None:
    place = house(1)
    store = place.store()
    granted(store, "run-1", place.pool)

    store.release("run-1")
    store.release("run-1")

    granted(store, "run-2", place.pool)
    store.release("run-1")
    assert [lease.holder for lease in store.leases()] == ["run-2"]


def test_leaving_without_anything_is_nothing(house: MakeHouse) -> None:
    house(1).store().release("nobody")


def test_more_units_than_there_are_is_refused_and_leaves_nothing_behind(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()

    with pytest.raises(Refusal, match=r"has .*2.*3") as refusal:
        store.acquire(Claim(holder="greedy", pool=place.pool, units=3))

    assert refusal.value.consequence == "it would wait for ever"
    granted(store, "run-1", place.pool, 2)


def test_a_pool_that_is_not_there_is_refused(house: MakeHouse) -> None:
    place = house(1)

    with pytest.raises(Refusal, match="`nowhere` is a pool"):
        place.store().acquire(Claim(holder="run-1", pool="nowhere", units=1))


def test_a_claim_of_nothing_is_refused() -> None:
    with pytest.raises(Refusal, match="one unit or more"):
        Claim(holder="run-1", pool="azure-westus", units=0)


def test_a_claim_beyond_what_the_platform_leaves_waits(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()
    granted(store, "run-1", place.pool, room=2)

    waiting = refused(store, "run-2", place.pool, 2, room=2)

    assert waiting.reason == "the platform's quota leaves 2 units to the runners, 1 are leased"
    assert (waiting.pool, waiting.free) == (place.pool, 1)
    assert [lease.holder for lease in store.leases()] == ["run-1"]
    granted(store, "run-2", place.pool, room=2)


def test_what_was_granted_stays_when_others_take_the_room(house: MakeHouse) -> None:
    place = house(3)
    store = place.store()
    first = granted(store, "run-1", place.pool, 2, room=2)

    assert granted(store, "run-1", place.pool, 2, room=0).slots == first.slots


def test_a_claim_without_room_holds_up_nobody(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    refused(store, "run-1", place.pool, 2, room=0)

    granted(store, "run-2", place.pool, room=1)


def test_a_part_that_was_kept_is_given_back_when_there_is_no_room_any_more(house: MakeHouse) -> None:
    place = house(2)
    store = place.store()
    granted(store, "run-1", place.pool)
    refused(store, "run-2", place.pool, 2)

    refused(store, "run-2", place.pool, 2, room=1)
    store.release("run-1")
    refused(store, "run-2", place.pool, 2, room=1)

    awaited(store, "run-3", place.pool)


def test_many_that_see_the_same_room_are_never_more_than_fit(house: MakeHouse) -> None:
    place = house(12)
    witness = Witness()
    claims = [Claim(holder=f"run-{number}", pool=place.pool, units=1) for number in range(8)]
    stores = [place.store() for _ in claims]

    with ThreadPoolExecutor(len(claims)) as pool:
        lives = [pool.submit(live, store, claim, witness, 3) for store, claim in zip(stores, claims, strict=True)]
        for life in lives:
            life.result()

    assert sorted(witness.served) == sorted(claim.holder for claim in claims)
    assert witness.most <= 3


def live(store: LeaseStore, claim: Claim, witness: Witness, room: int | None = None) -> None:
    """The whole life of one runner."""
    lease = eventually(lambda: found if isinstance(found := store.acquire(claim, room), Lease) else None, CROWDED)
    witness.given(lease)
    store.heartbeat(claim.holder)
    time.sleep(HOLD)
    witness.given_back(lease)
    store.release(claim.holder)


def test_forty_launchers_at_once_are_all_served_and_never_with_the_same_units(house: MakeHouse) -> None:
    place = house(12)
    witness = Witness()
    claims = [Claim(holder=f"run-{number}", pool=place.pool, units=number % 3 + 1) for number in range(LAUNCHERS)]
    stores = [place.store() for _ in claims]

    with ThreadPoolExecutor(LAUNCHERS) as pool:
        for life in [pool.submit(live, store, claim, witness) for store, claim in zip(stores, claims, strict=True)]:
            life.result()

    assert sorted(witness.served) == sorted(claim.holder for claim in claims)
    assert place.store().leases() == []
