"""Rotation without downtime: the old kubeconfig works until the new one does, and is refused after the grace."""

from datetime import timedelta

import pytest

from tests.fleet.simulated_fleet import MACHINE, SimulatedFleet
from tests.fleet.test_power import kubeconfig
from tests.rehearsal.azure.simulated import until
from virtci.core.environments import Environment
from virtci.core.problems import Refusal
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_records import answers
from virtci.fleet.kubeconfigs import Kubeconfig, look
from virtci.fleet.rotation import nothing_to_rotate, replacing, rotate_kubeconfig, ssh_key_urn

URN = "urn:pulumi:dev::virt-ci::virt-ci:fleet:CiEnvironment$virt-ci:machine:Machine$tls:index/privateKey:PrivateKey::"


def rotated(fleet: SimulatedFleet, *, revoked: bool = False) -> Kubeconfig:
    return rotate_kubeconfig(fleet.clouds, fleet.target("dev"), fleet.pace, fleet.said.append, revoked=revoked)


def works(kubeconfig: str) -> bool:
    from kubernetes.client import ApiException

    with kubernetes(kubeconfig) as api:
        try:
            return bool(answers(api))
        except ApiException as error:
            if error.status != 401:
                raise
            return False


@pytest.mark.cluster
def test_the_new_kubeconfig_works_before_the_old_one_stops(awake: SimulatedFleet) -> None:
    old = look(awake.clouds, awake.target("dev"))
    asked: list[str] = []

    def machine() -> None:
        asked.append(awake.rotation_request())
        awake.publish()

    awake.naps = [lambda: None, machine]
    new = rotated(awake)

    assert len(asked) == 1
    assert asked[0].endswith("Z")
    assert new.version != old.version
    assert works(new.text)
    assert works(old.text), "running jobs lost their cluster"


@pytest.mark.cluster
def test_the_old_one_is_refused_after_the_grace(awake: SimulatedFleet) -> None:
    old = look(awake.clouds, awake.target("dev"))
    before = awake.bound_secrets()

    def grace_is_over() -> None:
        """A server remembers a good token for ten seconds."""
        awake.revoke(*set(before) & set(awake.bound_secrets()))
        until(lambda: not works(old.text), seconds=30)

    awake.naps = [lambda: (awake.publish(), None)[1], grace_is_over]
    new = rotated(awake, revoked=True)

    assert not works(old.text)
    assert works(new.text)
    assert awake.said[-1] == "the cluster refuses the old kubeconfig"


@pytest.mark.cluster
def test_a_machine_that_does_not_answer_leaves_the_old_one_as_it_was(awake: SimulatedFleet) -> None:
    old = look(awake.clouds, awake.target("dev"))

    with pytest.raises(Refusal) as refused:
        rotated(awake)

    assert refused.value.rule == f"{MACHINE} publishes a kubeconfig within 15 minutes"
    assert refused.value.consequence == "none came; the old one still works"
    assert look(awake.clouds, awake.target("dev")).version == old.version
    assert works(old.text)


@pytest.mark.cluster
def test_a_new_one_that_does_not_work_is_not_taken_for_done(awake: SimulatedFleet) -> None:
    awake.naps = [lambda: (awake.publish(kubeconfig()), None)[1], lambda: None]

    with pytest.raises(Refusal, match="publishes a kubeconfig") as refused:
        rotated(awake)

    assert refused.value.consequence.startswith("the new one does not work: the cluster of `dev` answers")


@pytest.mark.cluster
def test_an_old_one_that_nobody_revokes_is_named(awake: SimulatedFleet) -> None:
    awake.naps = [lambda: (awake.publish(), None)[1], lambda: None]

    with pytest.raises(Refusal, match="the cluster of `dev` refuses the old kubeconfig") as refused:
        rotated(awake, revoked=True)

    assert "kubectl -n virt-ci get secrets" in refused.value.fix


def test_an_expired_one_cannot_ask_for_the_next(fleet: SimulatedFleet) -> None:
    fleet.publish(kubeconfig(), timedelta(hours=-1))

    with pytest.raises(Refusal) as refused:
        rotated(fleet)
    assert "virtci wake dev" in refused.value.fix


def test_a_cluster_has_nothing_to_rotate_and_says_why(fleet: SimulatedFleet) -> None:
    said = nothing_to_rotate(fleet.target("test-kvm"))

    assert "holds no credential" in said
    assert "There is nothing to rotate" in said
    with pytest.raises(Refusal, match="runs on a machine"):
        rotate_kubeconfig(fleet.clouds, fleet.target("test-kvm"), fleet.pace, fleet.said.append)


def test_the_declared_key_of_the_machine_is_the_one_that_is_replaced() -> None:
    resources = [
        {"type": "tls:index/privateKey:PrivateKey", "urn": URN + "test-mshv-machine-ssh-key"},
        {"type": "azure-native:keyvault:Secret", "urn": URN + "dev-machine-ssh-key"},
        {"type": "tls:index/privateKey:PrivateKey", "urn": URN + "dev-machine-ssh-key"},
    ]

    assert ssh_key_urn(resources, Environment.DEV) == URN + "dev-machine-ssh-key"
    with pytest.raises(Refusal, match="SSH key for the machine of `test-kvm`"):
        ssh_key_urn(resources, Environment.TEST_KVM)


def test_what_was_previewed_is_what_is_done() -> None:
    preview, update = replacing("dev", "urn:x", ["--policy-pack", "policies"])

    assert preview == ["preview", "--diff", "--stack", "dev", "--replace", "urn:x", "--policy-pack", "policies"]
    assert update == ["up", "--yes", "--skip-preview", *preview[2:]]
