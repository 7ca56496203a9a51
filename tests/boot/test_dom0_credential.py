"""The credential of a dom0 machine is renewed every day, and replaced when somebody asks for it."""

from tests.boot.machines import Machine, machine
from tests.rehearsal.boot.cloud import Cloud

ALWAYS = 10**9


def test_renewal_keeps_the_two_newest_credentials() -> None:
    with machine(Cloud()) as booted:
        seen = [booted.bound[-1]]
        for _ in range(3):
            booted.box.advance(24 * 3_600)
            assert booted.box.start("virt-ci-renewal.service").exit_code == 0
            seen.append(booted.bound[-1])
        assert len(booted.cloud.versions) == 4
        assert booted.bound == seen[-2:]
        assert (
            booted.cloud.versions[3]["attributes"]["exp"] >= booted.cloud.versions[2]["attributes"]["exp"] + 24 * 3_600
        )


def test_renewal_that_fails_leaves_the_credentials_that_are_in_use() -> None:
    with machine(Cloud()) as booted:
        in_use = booted.bound
        booted.cloud.vault.refused = ALWAYS
        booted.box.advance(24 * 3_600)
        assert booted.box.start("virt-ci-renewal.service").exit_code != 0
        assert booted.bound == in_use


def test_nothing_is_renewed_before_there_is_something() -> None:
    cloud = Cloud()
    cloud.vault.refused = ALWAYS
    with machine(cloud) as booted:
        cloud.vault.refused = 0
        for unit in ("virt-ci-renewal.service", "virt-ci-rotation.service"):
            assert booted.box.start(unit).exit_code == 0
        assert cloud.versions == []


def test_rotation_replaces_the_credential_and_revokes_the_old_ones_after_the_grace() -> None:
    with machine(Cloud()) as booted:
        old = booted.bound
        _request_rotation(booted, "2026-01-31T12:00:00Z")
        booted.box.advance(60)
        assert booted.box.start("virt-ci-rotation.service").exit_code == 0
        assert len(booted.cloud.versions) == 2
        assert _rotation(booted)["handledAt"] == "2026-01-31T12:00:00Z"
        assert set(old) < set(booted.bound)
        booted.box.advance(540)
        booted.box.start("virt-ci-rotation.service")
        assert set(old) < set(booted.bound)
        booted.box.advance(60)
        booted.box.start("virt-ci-rotation.service")
        assert len(booted.bound) == 1
        assert not set(old) & set(booted.bound)
        assert len(booted.cloud.versions) == 2


def test_rotation_that_nobody_asked_for_does_nothing() -> None:
    with machine(Cloud()) as booted:
        assert booted.box.start("virt-ci-rotation.service").exit_code == 0
        assert len(booted.cloud.versions) == 1


def test_rotation_that_fails_is_tried_again() -> None:
    with machine(Cloud()) as booted:
        _request_rotation(booted, "2026-01-31T12:00:00Z")
        booted.cloud.vault.refused = ALWAYS
        assert booted.box.start("virt-ci-rotation.service").exit_code != 0
        assert "handledAt" not in _rotation(booted)
        booted.cloud.vault.refused = 0
        assert booted.box.start("virt-ci-rotation.service").exit_code == 0
        assert _rotation(booted)["handledAt"] == "2026-01-31T12:00:00Z"


def _request_rotation(booted: Machine, when: str) -> None:
    booted.box.keep_object("ConfigMap/virt-ci/rotation", {"kind": "ConfigMap", "data": {"requestedAt": when}})


def _rotation(booted: Machine) -> dict[str, str]:
    data = booted.box.objects["ConfigMap/virt-ci/rotation"]["data"]
    assert isinstance(data, dict)
    return data
