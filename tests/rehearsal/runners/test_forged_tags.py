"""A machine in Azure can change its own tags: it neither outlives its time by that nor ends another one's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.rehearsal.runners.lives import RUN, ask, calm, done, ended, started, stopping, swept
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.requests import Record
from virtci.core.runners.retention import Result
from virtci.core.runners.sweep import CLOSING, Do, Leak
from virtci.core.runners.tags import RunTags, untold
from virtci.rehearsal.runners.platform import Machine
from virtci.rehearsal.runners.town import Town

YEARS = timedelta(days=1_000)
OTHER_RUN = replace(RUN, run_id=992)
Forgery = Callable[[RunTags], RunTags]

FORGERIES: dict[str, Forgery] = {
    "no tags": lambda tags: replace(untold(tags.stack), slot=tags.slot),
    "another deadline": lambda tags: replace(tags, deadline=tags.deadline + YEARS),
    "kept": lambda tags: replace(tags, keep_until=tags.deadline + YEARS, deadline=tags.deadline + YEARS),
    "a run that goes on": lambda tags: replace(tags, run=OTHER_RUN.path, deadline=tags.deadline + YEARS),
    "another label": lambda tags: replace(tags, label="virt-ci-azure-992-1-1-00000000"),
}


def forged(world: Town, record: Record, forgery: Forgery) -> Machine:
    """The machine of a record, which says something else of itself now."""
    machine = world.platforms[Cloud.AZURE].alive[record.stack]
    machine.tags = forgery(machine.tags)
    return machine


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_run_that_ended_takes_its_machine_along(forgery: Forgery) -> None:
    world = calm()
    world.github.runs["rehearsal-org/km/992"] = None
    (record,) = started(world)
    forged(world, record, forgery)
    ended(world)
    world.stage.run(world.stage.now + CLOSING)

    assert swept(world).plan.leaks[Leak.LEFT_RUNNING] == 1

    assert world.platforms[Cloud.AZURE].alive == {}
    assert world.launcher().leases.leases() == []


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_machine_ends_at_its_deadline_while_its_run_goes_on(forgery: Forgery) -> None:
    world = calm()
    world.github.runs["rehearsal-org/km/992"] = None
    (record,) = started(world)
    forged(world, record, forgery)

    assert [action.do for action in swept(world).plan.actions] == [Do.RENEW], "it is what its record says"
    world.stage.run(world.stage.now + world.launcher().rules.maximum)

    assert swept(world).plan.leaks[Leak.TOO_OLD] == 1
    assert world.platforms[Cloud.AZURE].alive == {}


def test_a_machine_in_a_slot_without_record_and_tags_is_taken_down() -> None:
    world = calm()
    (record,) = started(world)
    forged(world, record, FORGERIES["no tags"])
    world.objects.delete(f"runners/{record.stack}")

    (action,) = (action for action in swept(world).plan.actions if action.leak)

    assert action.why == "it has no record, and its tags are gone"
    assert world.platforms[Cloud.AZURE].alive == {}


def test_evidence_is_kept_for_its_week_and_not_as_long_as_the_machine_said() -> None:
    world = calm()
    (record,) = started(world, ask(Cloud.EC2))
    done(world, stopping(world, Result.FAILURE))
    platform = world.platforms[Cloud.EC2]
    platform.alive[record.stack].tags = FORGERIES["kept"](platform.alive[record.stack].tags)

    world.stage.run(world.stage.now + timedelta(days=6))
    assert swept(world).plan.actions == ()
    world.stage.run(world.stage.now + timedelta(days=1))

    assert [action.do for action in swept(world).plan.actions] == [Do.DESTROY]
