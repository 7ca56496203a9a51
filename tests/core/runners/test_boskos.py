"""Boskos: a configuration that it cannot misread, and what its records say of claims."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.problems import ProblemsError, Refusal
from virtci.core.runners.boskos import LAUNCHER_RULES, SERVER_RULES, accounts, configuration, definitions
from virtci.core.runners.boskos_records import (
    Owner,
    Slot,
    State,
    gives_way,
    holdings,
    require_holder,
    require_possible,
    waiting,
)
from virtci.core.runners.leases import Claim

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
POOL = "azure-westus"


def owner(holder: str = "run-1", index: int = 0, units: int = 1, minutes: int = 0) -> Owner:
    return Owner(holder=holder, index=index, units=units, since=NOW + timedelta(minutes=minutes), attempt="a")


def leased(name: str, by: Owner, minutes: int = 0) -> Slot:
    return replace(Slot.leased(name, POOL, by), updated=NOW + timedelta(minutes=minutes))


def free(name: str) -> Slot:
    return Slot(name=name, pool=POOL, state="free", owner="", updated=NOW)


def problems(pools: dict[str, list[str]]) -> str:
    with pytest.raises(ProblemsError) as refused:
        configuration(pools)
    return str(refused.value)


def test_the_configuration_has_the_slots_of_each_pool_once_and_in_order() -> None:
    text = configuration({"ec2-us-east-2": ["c"], POOL: ["b", "a"]})

    assert yaml.safe_load(text)["resources"] == [
        {"type": POOL, "state": "free", "names": ["a", "b"]},
        {"type": "ec2-us-east-2", "state": "free", "names": ["c"]},
    ]


@pytest.mark.parametrize(
    ("pools", "rule"),
    [
        ({}, "there is a pool"),
        ({POOL: []}, "a pool has a slot"),
        ({POOL: ["a"], "other": ["a"]}, "a slot is in one pool, once"),
        ({POOL: ["a", "a"]}, "a slot is in one pool, once"),
        ({POOL: ["Upper"]}, "lower-case letters"),
        ({POOL: ["a" * 64]}, "at most 63"),
        ({"with blank": ["a"]}, "lower-case letters"),
        ({POOL: ["-a"]}, "no hyphen at either end"),
    ],
)
def test_pools_that_the_server_would_not_take_or_would_forget_are_refused(
    pools: dict[str, list[str]], rule: str
) -> None:
    assert rule in problems(pools)


def test_all_that_is_wrong_with_pools_is_told_at_once() -> None:
    assert "3 problems" in problems({POOL: ["a", "B"], "other": ["a"], "empty": []})


def test_definitions_are_those_of_the_two_kinds_of_record() -> None:
    assert {item["metadata"]["name"] for item in definitions()} == {
        "resources.boskos.k8s.io",
        "dynamicresourcelifecycles.boskos.k8s.io",
    }


def test_the_server_has_no_verb_that_it_does_not_need() -> None:
    (rule,) = SERVER_RULES

    assert rule["apiGroups"] == ["boskos.k8s.io"]
    assert rule["resources"] == ["resources", "dynamicresourcelifecycles"]
    assert rule["verbs"] == ["list", "watch", "create", "update", "delete"]


def test_launchers_read_records_and_reach_the_server_and_nothing_else() -> None:
    assert LAUNCHER_RULES == [
        {"apiGroups": ["boskos.k8s.io"], "resources": ["resources"], "verbs": ["list"]},
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": ["boskos:api"],
            "verbs": ["get", "create"],
        },
    ]


def test_no_account_has_a_token_that_it_did_not_ask_for() -> None:
    found = [item for item in accounts() if item["kind"] == "ServiceAccount"]

    assert [item["automountServiceAccountToken"] for item in found] == [False, False]


@given(
    st.builds(
        Owner,
        holder=st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True),
        index=st.integers(0, 99),
        units=st.integers(1, 99),
        since=st.datetimes(timezones=st.just(UTC)),
        attempt=st.uuids().map(lambda value: value.hex),
    )
)
def test_an_owner_is_read_back_as_it_was_written(written: Owner) -> None:
    assert Owner.read(str(written)) == written


@pytest.mark.parametrize("text", ["", "a person", "a/b/c/d/e", "a/0/1/yesterday/x", "a/0/1/2026-11-21T12:00:00+00:00"])
def test_an_owner_of_others_is_none_of_ours(text: str) -> None:
    assert Owner.read(text) is None


def test_a_slot_that_never_changed_has_no_time() -> None:
    slot = Slot.of({"metadata": {"name": "a"}, "spec": {"type": POOL}, "status": {"state": "free", "lastUpdate": None}})

    assert slot.is_free
    assert slot.updated < NOW


def test_a_claim_is_complete_with_each_of_its_units() -> None:
    (half,) = holdings([leased("a", owner(index=1, units=2))])
    (whole,) = holdings([leased("a", owner(index=1, units=2)), leased("b", owner(index=0, units=2))])

    assert (half.is_complete, half.missing) == (False, (0,))
    assert (whole.is_complete, whole.missing) == (True, ())
    assert whole.lease().slots == ("a", "b")


def test_of_a_unit_that_was_leased_twice_the_last_attempt_counts() -> None:
    (held,) = holdings([leased("late", owner(minutes=0)), leased("known", owner(minutes=1))])

    assert [slot.name for slot in held.slots] == ["known"]
    assert [slot.name for slot in held.surplus] == ["late"]


def test_a_lease_is_as_old_as_its_last_unit_and_as_alive_as_its_quietest() -> None:
    (held,) = holdings([leased("a", owner(index=0, units=2), 9), leased("b", owner(index=1, units=2, minutes=1), 5)])

    assert held.lease().since == NOW + timedelta(minutes=1)
    assert held.lease().heartbeat == NOW + timedelta(minutes=5)


def test_a_lease_is_not_quieter_than_it_is_old_although_times_are_written_in_whole_seconds() -> None:
    (held,) = holdings([replace(leased("a", owner()), updated=NOW.replace(microsecond=0))])

    assert held.lease().heartbeat == held.lease().since == NOW


def test_free_slots_and_those_of_others_are_nobodys() -> None:
    stranger = replace(free("a"), state="leased", owner="a person")
    stale = replace(leased("b", owner()), state="free")

    assert holdings([stranger, stale, free("c")]) == []


def test_of_claims_that_are_not_complete_only_the_oldest_keeps_its_units() -> None:
    old, young = holdings([leased("a", owner("run-1", units=2)), leased("b", owner("run-2", units=2, minutes=1))])

    assert not gives_way(old, [old, young])
    assert gives_way(young, [old, young])


def test_of_claims_that_are_equally_old_one_keeps_its_units() -> None:
    first, second = holdings([leased("a", owner("run-1", units=2)), leased("b", owner("run-2", units=2))])

    assert [gives_way(claim, [first, second]) for claim in (first, second)] == [False, True]


def test_nobody_gives_way_to_a_lease_or_to_another_claim_of_his_own() -> None:
    lease, own, other = holdings(
        [
            leased("a", owner("run-1")),
            leased("b", owner("run-2", units=2)),
            leased("c", owner("run-2", units=3, minutes=1)),
        ]
    )

    assert not gives_way(other, [lease, own, other])


def test_who_waits_is_told_what_is_free_and_what_is_kept_for_him() -> None:
    claim = Claim(holder="run-1", pool=POOL, units=2)
    slots = [free("a"), free("b"), leased("c", owner("run-2"))]

    assert waiting(claim, slots).free == 2
    kept = waiting(claim, slots, [slots[0]])
    assert (kept.free, kept.ahead) == (1, None)
    assert kept.reason == "1 of 3 units are free, 2 asked for, 1 kept for it until it has all"


def test_units_in_a_state_that_nobody_asks_for_can_not_be_claimed() -> None:
    lost = replace(free("a"), state="banana")

    with pytest.raises(Refusal, match="it has 1 in all"):
        require_possible(Claim(holder="run-1", pool=POOL, units=2), [lost, free("b")])
    assert "in the state banana" in waiting(Claim(holder="run-1", pool=POOL, units=1), [lost]).reason


def test_a_pool_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refusal) as refused:
        require_possible(Claim(holder="run-1", pool="azure-westu", units=1), [free("a")])

    assert refused.value.fix == "did you mean `azure-westus`?"


@pytest.mark.parametrize("holder", ["", "owner/run"])
def test_a_holder_that_could_not_be_read_back_is_refused(holder: str) -> None:
    with pytest.raises(Refusal, match="stack name"):
        require_holder(holder)


def test_states_are_those_of_the_server_itself() -> None:
    assert {state.value for state in State} == {"free", "leased"}
