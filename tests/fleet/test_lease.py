"""One run at a time uses an environment, and a dead one blocks nobody for long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fleet.simulated_fleet import SimulatedFleet
from virtci.core.problems import Refusal
from virtci.fleet import lease
from virtci.fleet.clouds import kubernetes

pytestmark = pytest.mark.cluster

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def api(awake: SimulatedFleet) -> Iterator[Any]:
    assert awake.plane is not None
    with kubernetes(awake.plane.kubeconfig) as found:
        yield found


def test_nobody_has_a_lease_that_was_never_taken(api: Any) -> None:
    assert lease.held(api, NOW) is None
    assert lease.release(api, "run-1", NOW) is False


def test_a_lease_is_held_until_it_is_released(api: Any) -> None:
    lease.acquire(api, "run-1", NOW, 600)

    assert lease.held(api, NOW) == lease.Held("run-1", NOW, NOW + 10 * MINUTE)
    with pytest.raises(Refusal) as refused:
        lease.acquire(api, "run-2", NOW + MINUTE)
    assert "`run-1` has it since 2026-01-05 08:00 UTC" in refused.value.rule
    assert "2026-01-05 08:10 UTC" in refused.value.fix
    assert lease.release(api, "run-2", NOW + MINUTE) is False
    assert lease.release(api, "run-1", NOW + MINUTE) is True
    assert lease.held(api, NOW + MINUTE) is None
    lease.acquire(api, "run-2", NOW + MINUTE)


def test_a_lease_that_is_not_renewed_goes_stale_and_can_be_taken(api: Any) -> None:
    lease.acquire(api, "killed", NOW, 600)

    assert lease.held(api, NOW + 10 * MINUTE) is None
    lease.acquire(api, "next", NOW + 10 * MINUTE, 600)

    with pytest.raises(Refusal, match="`next` has it since"):
        lease.renew(api, "killed", NOW + 11 * MINUTE)


def test_a_renewal_keeps_the_moment_of_the_beginning(api: Any) -> None:
    lease.acquire(api, "run-1", NOW, 600)
    lease.renew(api, "run-1", NOW + 9 * MINUTE, 600)

    assert lease.held(api, NOW + 12 * MINUTE) == lease.Held("run-1", NOW, NOW + 19 * MINUTE)


def test_of_two_who_are_equally_quick_one_gets_it(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one writes between this one's read and its write, so its version is no longer the present one."""
    read = lease._read
    rivals = iter(["rival"])

    def overtaken(client: Any) -> Any:
        found = read(client)
        if rival := next(rivals, None):
            lease.acquire(client, rival, NOW)
        return found

    monkeypatch.setattr(lease, "_read", overtaken)

    with pytest.raises(Refusal, match="`rival` has it"):
        lease.acquire(api, "run-1", NOW)


def test_the_first_run_in_a_new_cluster_finds_no_namespace_and_makes_it(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.client import CoreV1Api

    monkeypatch.setattr(lease, "NAMESPACE", "virt-ci-new")
    monkeypatch.setattr(lease, "LEASES", ("coordination.k8s.io", "v1", "virt-ci-new", "leases"))

    lease.acquire(api, "run-1", NOW)

    assert CoreV1Api(api).read_namespace("virt-ci-new").metadata.name == "virt-ci-new"
    CoreV1Api(api).delete_namespace("virt-ci-new")
