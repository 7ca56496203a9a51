"""A kubeconfig comes out of the vault good or not at all, into a file of its owner's, and for tests with few rights."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.fleet.simulated_fleet import ENTRA, SimulatedFleet
from tests.fleet.test_power import kubeconfig
from virtci.core.problems import Refusal
from virtci.fleet import kubeconfigs
from virtci.fleet.clouds import Clouds, RehearsedClouds, kubernetes
from virtci.fleet.kubeconfigs import Kubeconfig, fetch, look

SECRET = "token-that-nobody-may-see"


def now() -> datetime:
    return datetime.now(UTC)


def test_a_published_kubeconfig_is_fetched_with_its_expiry(fleet: SimulatedFleet) -> None:
    fleet.publish(kubeconfig(), timedelta(days=7))

    found = fetch(fleet.clouds, fleet.target("dev"), now())

    assert found.text == kubeconfig()
    assert found.expires is not None
    assert timedelta(days=6, hours=23) < found.expires - now() <= timedelta(days=7)


def test_one_that_was_never_published_is_refused(fleet: SimulatedFleet) -> None:
    with pytest.raises(Refusal, match="the kubeconfig of `dev` is published") as refused:
        fetch(fleet.clouds, fleet.target("dev"), now())
    assert refused.value.fix == "see how far the machine's boot came: virtci status dev"


def test_one_that_expired_is_refused_with_the_moment_and_the_fix(fleet: SimulatedFleet) -> None:
    fleet.publish(kubeconfig().replace("token: t", f"token: {SECRET}"), timedelta(hours=-2))

    with pytest.raises(Refusal) as refused:
        fetch(fleet.clouds, fleet.target("dev"), now())

    said = f"{refused.value.rule} {refused.value.consequence} {refused.value.fix}"
    assert "it expired 2" in refused.value.rule
    assert "virtci wake dev" in refused.value.fix
    assert SECRET not in said


def test_the_expiry_in_the_token_counts_where_the_vault_has_none(fleet: SimulatedFleet) -> None:
    token = "e30.eyJleHAiOiAxNzAwMDAwMDAwfQ.x"
    fleet.owner.set_secret("dev-kubeconfig", kubeconfig().replace("token: t", f"token: {token}"))

    found = look(fleet.clouds, fleet.target("dev"))

    assert found.expires == datetime.fromtimestamp(1_700_000_000, UTC)


def test_the_one_of_a_cluster_holds_no_credential_and_has_no_expiry(fleet: SimulatedFleet) -> None:
    found = fetch(fleet.clouds, fleet.target("test-kvm"), now())

    assert (found.text, found.expires) == (ENTRA, None)


def test_who_may_not_read_the_secret_is_told_so(fleet: SimulatedFleet) -> None:
    _, stranger = fleet.cloud.identity("stranger")
    assert fleet.clouds.rehearsed is not None
    clouds = Clouds(
        fleet.clouds.subscription, fleet.clouds.rehearsed.model_copy(update={"token": stranger["principalId"]})
    )

    with pytest.raises(Refusal, match="vault kubevirtkv, secret dev-kubeconfig, answers this login") as refused:
        look(clouds, fleet.target("dev"))
    assert "role" in refused.value.fix


def test_who_is_outside_the_network_of_the_fleet_is_sent_to_a_runner(fleet: SimulatedFleet) -> None:
    vault = next(fleet.cloud.manager.store.of_type("Microsoft.KeyVault/vaults"), None)
    assert vault is not None
    vault.properties["networkAcls"] = {
        "defaultAction": "Deny",
        "bypass": "None",
        "ipRules": [],
        "virtualNetworkRules": [],
    }

    with pytest.raises(Refusal) as refused:
        look(fleet.clouds, fleet.target("dev"))
    assert refused.value.fix.startswith("run this on a runner")


def test_a_vault_that_is_not_there_is_not_reached(fleet: SimulatedFleet) -> None:
    clouds = Clouds(
        fleet.clouds.subscription,
        RehearsedClouds.model_validate(
            {"resourceManager": "http://127.0.0.1:9", "vaults": {"kubevirtkv": "https://127.0.0.1:9"}}
        ),
    )

    with pytest.raises(Refusal) as refused:
        look(clouds, fleet.target("dev"))
    assert refused.value.consequence.startswith("it was not reached")
    assert "network" in refused.value.fix


def test_it_is_written_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("an older one, for everybody")
    file.chmod(0o644)

    kubeconfigs.write(Kubeconfig("the text", "1", None), file)

    assert file.read_text() == "the text"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_half_written_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").mkdir()

    with pytest.raises(IsADirectoryError):
        kubeconfigs.write(Kubeconfig("the text", "1", None), tmp_path / "kubeconfig")

    assert [item.name for item in tmp_path.iterdir()] == ["kubeconfig"]


def test_its_text_is_not_shown_when_it_is_printed() -> None:
    assert SECRET not in repr(Kubeconfig(SECRET, "1", None))


@pytest.mark.cluster
def test_the_one_for_tests_has_the_rights_of_the_tests_account_and_an_end(awake: SimulatedFleet) -> None:
    from kubernetes.client import ApiException, CoreV1Api

    found = fetch(awake.clouds, awake.target("dev"), now())
    with kubernetes(found.text) as api:
        CoreV1Api(api).create_namespaced_service_account("virt-ci", {"metadata": {"name": "tests"}})
        narrow = kubeconfigs.for_account(api, found, awake.target("dev"), "tests", 2)
        mine = CoreV1Api(api).list_namespaced_secret("virt-ci")
    with kubernetes(narrow.text) as api, pytest.raises(ApiException) as refused:
        CoreV1Api(api).list_namespaced_secret("virt-ci")

    assert mine.items
    assert refused.value.status == 403
    assert narrow.expires is not None
    assert timedelta(hours=1, minutes=59) < narrow.expires - now() <= timedelta(hours=2, minutes=1)
    assert yaml.safe_load(narrow.text)["clusters"] == yaml.safe_load(found.text)["clusters"]


@pytest.mark.cluster
def test_a_cluster_without_the_tests_account_says_which_is_missing(awake: SimulatedFleet) -> None:
    from kubernetes.client import CoreV1Api

    found = fetch(awake.clouds, awake.target("dev"), now())
    with kubernetes(found.text) as api:
        CoreV1Api(api).delete_collection_namespaced_service_account("virt-ci", field_selector="metadata.name=tests")
        with pytest.raises(Refusal, match="ServiceAccount virt-ci/tests of `dev`"):
            kubeconfigs.for_account(api, found, awake.target("dev"), "tests", 1)
