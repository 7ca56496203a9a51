"""Which clouds a command speaks to: the real ones, unless a rehearsal says otherwise."""

import json
from pathlib import Path

import httpx
import pytest

from virtci.core.problems import Refusal
from virtci.fleet.clouds import Clouds, RehearsedClouds, connect, github, kubernetes, subscription_of

SUBSCRIPTION = "9b5d67e7-ca39-4471-8a8e-ddf8cc14a64a"
REHEARSED = {"resourceManager": "http://127.0.0.1:9", "vaults": {"kv": "https://127.0.0.1:9"}}


def test_without_a_rehearsal_the_clouds_are_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTCI_CLOUDS", raising=False)

    clouds = connect(SUBSCRIPTION)

    assert clouds.rehearsed is None
    assert clouds.compute._config.base_url == "https://management.azure.com/"
    assert clouds.secrets("kubevirtkv").vault_url == "https://kubevirtkv.vault.azure.net"


def test_a_rehearsal_names_other_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clouds.json"
    file.write_text(json.dumps(REHEARSED | {"token": "someone"}))
    monkeypatch.setenv("VIRTCI_CLOUDS", str(file))

    clouds = connect(SUBSCRIPTION)

    assert clouds.compute._config.base_url == "http://127.0.0.1:9"
    assert clouds.credential.get_token("scope").token == "someone"
    assert clouds.secrets("kv") is clouds.secrets("kv")
    with pytest.raises(Refusal, match="has a vault `other`") as refused:
        clouds.secrets("other")
    assert refused.value.fix == "it has: kv"


@pytest.mark.parametrize("text", ["", "{}", '{"resourceManager": "x", "surprise": 1}'])
def test_a_rehearsal_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "clouds.json").write_text(text)
    monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))

    with pytest.raises(Refusal, match="VIRTCI_CLOUDS names the file"):
        connect(SUBSCRIPTION)


def test_a_subscription_is_read_out_of_an_id() -> None:
    assert subscription_of(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/x") == SUBSCRIPTION
    with pytest.raises(Refusal, match="begins with /subscriptions/<id>"):
        subscription_of("kubevirt-rg")


def test_github_is_where_actions_says_and_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    with github() as client:
        assert client.base_url == httpx.URL("http://127.0.0.1:9/api/")
        assert client.headers["Authorization"] == "Bearer t"

    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(Refusal, match="GITHUB_TOKEN holds a token"):
        github()


@pytest.mark.parametrize("text", ["", "{}", "- a", "clusters: [", "apiVersion: v1\nkind: Config\nsecret-value: x"])
def test_a_text_that_is_no_kubeconfig_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Refusal, match="a kubeconfig names a cluster") as refused:
        kubernetes(text)
    assert "secret-value" not in f"{refused.value.consequence}{refused.value.fix}"


def test_clients_are_made_once() -> None:
    clouds = Clouds(SUBSCRIPTION, RehearsedClouds.model_validate(REHEARSED))

    assert clouds.resources is clouds.resources
    assert clouds.clusters is clouds.clusters
