"""The arithmetic of leases: nobody gets another's slot, who came first goes first, who is gone holds nobody up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from virtci.core.problems import Refusal
from virtci.core.runners.leases import Claim, Lease, LeaseLost, Waiting, slot_names
from virtci.core.runners.tickets import FORGOTTEN, State, acquire, from_document, reaped, released, renewed, to_document
from virtci.rehearsal.clock import START

SLOTS = slot_names("westus", 3)


def claim(holder: str, units: int = 1) -> Claim:
    return Claim(holder=holder, pool="azure-westus", units=units)


def full() -> State:
    state = State()
    for holder in ("a", "b", "c"):
        state, _ = acquire(state, claim(holder), SLOTS, START)
    return state


def test_free_slots_are_given_in_order() -> None:
    state, first = acquire(State(), claim("a"), SLOTS, START)
    _, second = acquire(state, claim("b", 2), SLOTS, START)
    assert isinstance(first, Lease)
    assert isinstance(second, Lease)
    assert (first.slots, second.slots) == (SLOTS[:1], SLOTS[1:])


def test_holder_that_asks_again_gets_what_it_has() -> None:
    state = full()
    later = START + timedelta(minutes=1)
    after, found = acquire(state, claim("b"), SLOTS, later)
    assert isinstance(found, Lease)
    assert (found.slots, found.heartbeat) == (SLOTS[1:2], later)
    assert len(after.leases) == 3


def test_who_came_first_goes_first_also_when_it_asks_for_more() -> None:
    state, _ = acquire(full(), claim("large", 2), SLOTS, START)
    state, told = acquire(state, claim("small"), SLOTS, START)
    assert isinstance(told, Waiting)
    assert told.ahead == 1
    state = released(state, "a")
    state, told = acquire(state, claim("small"), SLOTS, START)
    assert isinstance(told, Waiting), "the free slot is promised to the large one"
    state = released(state, "b")
    _, found = acquire(state, claim("large", 2), SLOTS, START)
    assert isinstance(found, Lease)


def test_who_stopped_asking_loses_its_place() -> None:
    state, _ = acquire(full(), claim("gone"), SLOTS, START)
    state = released(state, "a")
    _, told = acquire(state, claim("here"), SLOTS, START)
    assert isinstance(told, Waiting)
    _, found = acquire(state, claim("here"), SLOTS, START + FORGOTTEN)
    assert isinstance(found, Lease)


def test_more_than_there_is_is_refused_at_once() -> None:
    with pytest.raises(Refusal, match="3 units of 4 vCPU; huge asks for 4"):
        acquire(State(), claim("huge", 4), SLOTS, START)


def test_lease_without_a_heartbeat_comes_back_and_its_holder_is_told() -> None:
    state = renewed(full(), "b", START + timedelta(minutes=40))
    state, lost = reaped(state, timedelta(minutes=30), START + timedelta(minutes=45))
    assert [lease.holder for lease in lost] == ["a", "c"]
    with pytest.raises(LeaseLost, match="a holds no lease"):
        renewed(state, "a", START)


def test_document_of_another_version_is_refused() -> None:
    with pytest.raises(Refusal, match="version 1"):
        from_document({"version": 2})


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), max_size=12))
def test_document_holds_everything(claims: list[tuple[str, int]]) -> None:
    state = State()
    for holder, units in claims:
        state, _ = acquire(state, claim(holder, units), SLOTS, START)
    assert from_document(to_document(state)) == state


class Leases(RuleBasedStateMachine):
    """Whatever launchers do, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.now = START

    @rule(holder=st.sampled_from("abcdefgh"), units=st.integers(1, 3))
    def ask(self, holder: str, units: int) -> None:
        self.state, _ = acquire(self.state, claim(holder, units), SLOTS, self.now)

    @rule(holder=st.sampled_from("abcdefgh"))
    def give_back(self, holder: str) -> None:
        self.state = released(self.state, holder)

    @precondition(lambda self: self.state.leases)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.state = renewed(self.state, data.draw(st.sampled_from(self.state.leases)).holder, self.now)

    @rule(minutes=st.integers(0, 40))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def reap(self) -> None:
        self.state, _ = reaped(self.state, timedelta(minutes=30), self.now)

    @invariant()
    def no_slot_is_given_twice(self) -> None:
        slots = [slot for lease in self.state.leases for slot in lease.slots]
        assert len(slots) == len(set(slots))
        assert set(slots) <= set(SLOTS)

    @invariant()
    def no_holder_has_two_leases_or_two_places(self) -> None:
        holders = [lease.holder for lease in self.state.leases]
        assert len(holders) == len(set(holders))
        places = [ticket.claim.holder for ticket in self.state.queue]
        assert len(places) == len(set(places))

    @invariant()
    def first_in_the_queue_is_not_kept_waiting_while_there_is_room(self) -> None:
        alive = [ticket for ticket in self.state.queue if self.now - ticket.asked < FORGOTTEN]
        if alive and alive[0].claim.units <= len(self.state.free("azure-westus", SLOTS)):
            _, found = acquire(self.state, alive[0].claim, SLOTS, self.now)
            assert isinstance(found, Lease)


TestLeases = Leases.TestCase
