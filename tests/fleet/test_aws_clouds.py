"""Clients of AWS: patient with the real one, and in a rehearsal unable to reach it."""

from pathlib import Path
from typing import Any

import pytest

from virtci.core.problems import Refusal
from virtci.fleet.aws_clouds import ATTEMPTS, UNUSABLE, AwsClouds, connect
from virtci.fleet.clouds import VARIABLE

REGION, URL = "us-east-2", "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell with a login, which a rehearsal must not use."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of-a-person")


def rehearse(monkeypatch: pytest.MonkeyPatch, folder: Path, more: str = "") -> None:
    file = folder / "clouds.json"
    file.write_text(f'{{"resourceManager": "http://127.0.0.1:1"{more}}}')
    monkeypatch.setenv(VARIABLE, str(file))


def test_a_rehearsal_names_the_endpoint_and_no_login_of_the_shell_goes_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    rehearse(monkeypatch, tmp_path, f', "aws": "{URL}"')
    clouds = connect()
    clients: list[Any] = [
        clouds.ec2(REGION),
        clouds.parameters(REGION),
        clouds.schedules(REGION),
        clouds.quotas(REGION),
    ]
    for client in clients:
        credentials = client._request_signer._credentials
        assert client.meta.endpoint_url == URL
        assert (credentials.access_key, credentials.secret_key, credentials.token) == (UNUSABLE, UNUSABLE, None)
        assert client.meta.config.proxies == {}


def test_a_rehearsal_without_aws_falls_back_to_no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rehearse(monkeypatch, tmp_path)
    with pytest.raises(Refusal, match="has an AWS account"):
        connect()


def test_without_a_rehearsal_the_clients_are_of_this_shell_and_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    client: Any = connect().ec2(REGION)
    retries = client.meta.config.retries
    assert client._request_signer._credentials.access_key == "of-a-person"
    assert client.meta.endpoint_url == f"https://ec2.{REGION}.amazonaws.com"
    assert (retries["mode"], retries["total_max_attempts"]) == ("standard", ATTEMPTS)


def test_a_client_is_made_once_for_each_region() -> None:
    clouds = AwsClouds(URL)
    assert clouds.ec2(REGION) is clouds.ec2(REGION)
    assert clouds.ec2("us-west-2") is not clouds.ec2(REGION)
