"""What a machine of the simulated AWS gets hold of: facts and keys with a token alone, parameters with a signature alone."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.boot.on_demand import AWS_REGION, Ec2Place
from virtci.core.runners.boot_record import boot_parameter
from virtci.core.runners.clouds import Serves
from virtci.rehearsal.aws.metadata import KEYS_PATH, TOKEN_PATH
from virtci.rehearsal.aws.metadata import handler as metadata_handler
from virtci.rehearsal.aws.sessions import Session
from virtci.rehearsal.aws.sessions import handler as machine_handler
from virtci.rehearsal.azure.server import listen

ID = "/latest/meta-data/instance-id"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
HOST = f"ssm.{AWS_REGION}.amazonaws.com"


@pytest.fixture
def place() -> Ec2Place:
    return Ec2Place(Serves.RUN)


@pytest.fixture
def metadata(place: Ec2Place) -> Iterator[httpx.Client]:
    with (
        listen(metadata_handler(place.service)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def parameters(place: Ec2Place) -> Iterator[httpx.Client]:
    with (
        listen(machine_handler(place.aws, place.service.sessions)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def token(metadata: httpx.Client, seconds: str = "60") -> dict[str, str]:
    return {"X-aws-ec2-metadata-token": metadata.put(TOKEN_PATH, headers={TTL: seconds}).text}


def test_nothing_is_told_without_a_token(place: Ec2Place, metadata: httpx.Client) -> None:
    assert metadata.get(ID).status_code == 401
    assert metadata.get(ID, headers={"X-aws-ec2-metadata-token": "made-up"}).status_code == 401
    assert metadata.get(ID, headers=token(metadata)).text == place.instance


@pytest.mark.parametrize("seconds", ["", "0", "21601", "a minute"])
def test_a_token_has_a_life_of_a_second_to_six_hours(metadata: httpx.Client, seconds: str) -> None:
    assert metadata.put(TOKEN_PATH, headers={TTL: seconds}).status_code == 400


def test_a_token_ends(place: Ec2Place, metadata: httpx.Client) -> None:
    given = token(metadata, "60")
    place.service.sessions.clock = lambda: datetime.now(UTC) + timedelta(seconds=61)
    assert metadata.get(ID, headers=given).status_code == 401


def test_nothing_is_told_through_a_proxy(metadata: httpx.Client) -> None:
    forwarded = {"X-Forwarded-For": "10.0.0.1"}
    assert metadata.put(TOKEN_PATH, headers={TTL: "60", **forwarded}).status_code == 403
    assert metadata.get(ID, headers=token(metadata) | forwarded).status_code == 403


def test_a_token_is_put_and_nothing_else_is(metadata: httpx.Client) -> None:
    assert metadata.get(TOKEN_PATH, headers={TTL: "60"}).status_code == 405
    assert metadata.put(ID, headers=token(metadata)).status_code == 405


def test_tags_and_evictions_are_told_when_there_are_any(place: Ec2Place, metadata: httpx.Client) -> None:
    deadline, action = "/latest/meta-data/tags/instance/deadline", "/latest/meta-data/spot/instance-action"
    given = token(metadata)
    assert [metadata.get(path, headers=given).status_code for path in (deadline, action)] == [404, 404]
    place.tag(deadline="2026-01-05T14:00:00Z")
    place.take_back()
    assert metadata.get(deadline, headers=given).text == "2026-01-05T14:00:00Z"
    assert metadata.get(action, headers=given).json()["action"] == "terminate"


def test_an_instance_that_is_off_answers_nobody(place: Ec2Place, metadata: httpx.Client) -> None:
    with place.client("ec2") as ec2:
        ec2.stop_instances(InstanceIds=[place.instance])
    with pytest.raises(httpx.RemoteProtocolError):
        metadata.get(ID)


def test_keys_are_those_of_the_role_of_the_instance(place: Ec2Place, metadata: httpx.Client) -> None:
    given = token(metadata)
    assert metadata.get(KEYS_PATH, headers=given).text == place.slot
    keys = metadata.get(f"{KEYS_PATH}{place.slot}", headers=given).json()
    assert (keys["Code"], keys["AccessKeyId"][:4]) == ("Success", "ASIA")
    assert place.service.sessions.issued[keys["AccessKeyId"]].token == keys["Token"]
    assert metadata.get(f"{KEYS_PATH}another", headers=given).status_code == 404


def signed(session: Session, action: str, body: dict[str, Any], **changes: str) -> dict[str, str]:
    """Headers as botocore signs them; changes are made after that."""
    request = AWSRequest("POST", f"https://{HOST}/", data=json.dumps(body))
    request.headers["X-Amz-Target"] = f"AmazonSSM.{action}"
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    SigV4Auth(Credentials(session.access_key, session.secret_key, session.token), "ssm", AWS_REGION).add_auth(request)
    return {**dict(request.headers.items()), "Host": HOST} | changes


def asked(
    parameters: httpx.Client, session: Session, action: str, body: dict[str, Any], **changes: str
) -> tuple[int, str]:
    """Status and error code of a request."""
    answer = parameters.post("/", content=json.dumps(body), headers=signed(session, action, body, **changes))
    found = answer.json().get("__type", "") if answer.content else ""
    return answer.status_code, found.rpartition("#")[2]


def test_a_machine_reads_and_deletes_its_own_registration(place: Ec2Place, parameters: httpx.Client) -> None:
    session, own = place.service.sessions.issue(place.slot), {"Name": place.secret_name}
    place.publish("value")
    answer = parameters.post("/", content=json.dumps(own), headers=signed(session, "GetParameter", own))
    assert answer.json()["Parameter"]["Name"] == place.secret_name
    assert asked(parameters, session, "DeleteParameter", own) == (200, "")
    assert asked(parameters, session, "GetParameter", own) == (400, "ParameterNotFound")


def test_a_machine_reads_writes_and_deletes_nothing_else(place: Ec2Place, parameters: httpx.Client) -> None:
    session = place.service.sessions.issue(place.slot)
    other = f"/virt-ci/runners/auto-runner-{AWS_REGION}-02"
    value = {"Value": "x", "Type": "String", "Overwrite": True}
    denied: list[tuple[str, dict[str, Any]]] = [
        ("GetParameter", {"Name": f"{other}/registration"}),
        ("GetParameter", {"Name": boot_parameter(place.slot)}),
        ("PutParameter", {"Name": place.secret_name, **value}),
        ("PutParameter", {"Name": f"{other}/boot", **value}),
        ("DeleteParameter", {"Name": boot_parameter(place.slot)}),
    ]
    assert {asked(parameters, session, action, body) for action, body in denied} == {(400, "AccessDeniedException")}
    allowed = {"Name": boot_parameter(place.slot), **value}
    assert asked(parameters, session, "PutParameter", allowed) == (200, "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Authorization": ""}, "MissingAuthenticationToken"),
        ({"X-Amz-Security-Token": "another"}, "UnrecognizedClientException"),
        ({"X-Amz-Target": "AmazonSSM.DeleteParameter"}, "InvalidSignatureException"),
        ({"X-Amz-Added": "later"}, "InvalidSignatureException"),
    ],
)
def test_every_word_of_a_request_is_signed(
    place: Ec2Place, parameters: httpx.Client, changes: dict[str, str], code: str
) -> None:
    session = place.service.sessions.issue(place.slot)
    place.publish("value")
    status, found = asked(parameters, session, "GetParameter", {"Name": place.secret_name}, **changes)
    assert (status, found) == (403, code)
    assert place.registration == "value"


def test_the_body_is_signed_too(place: Ec2Place, parameters: httpx.Client) -> None:
    session = place.service.sessions.issue(place.slot)
    headers = signed(session, "GetParameter", {"Name": place.secret_name})
    assert parameters.post("/", content='{"Name": "/another"}', headers=headers).status_code == 403


def test_a_signature_is_good_for_minutes_and_a_session_for_hours(place: Ec2Place, parameters: httpx.Client) -> None:
    session, own = place.service.sessions.issue(place.slot), {"Name": boot_parameter(place.slot)}
    found = []
    for hours in (0.1, 7):
        place.service.sessions.clock = lambda hours=hours: datetime.now(UTC) + timedelta(hours=hours)  # type: ignore[misc]  # a lambda's defaults have no types
        found.append(asked(parameters, session, "GetParameter", own))
    assert found == [(403, "InvalidSignatureException"), (403, "ExpiredTokenException")]


def test_keys_of_somebody_else_are_not_known(parameters: httpx.Client) -> None:
    session = Session("nobody", "ASIA0000000000000000", "secret", "token", datetime.now(UTC) + timedelta(hours=1))
    assert asked(parameters, session, "GetParameter", {"Name": "/x"}) == (403, "UnrecognizedClientException")


@pytest.mark.parametrize(("tier", "size", "taken"), [("Standard", 4_096, True), ("Standard", 4_097, False), ("Intelligent-Tiering", 8_192, True), ("Advanced", 8_193, False)])  # fmt: skip
def test_the_tier_of_a_parameter_decides_how_large_it_is(place: Ec2Place, tier: str, size: int, taken: bool) -> None:
    with place.client("ssm") as ssm:
        value = {"Name": "/x", "Value": "x" * size, "Type": "SecureString", "Tier": tier}
        if taken:
            assert ssm.put_parameter(**value)["Version"] == 1
        else:
            with pytest.raises(ssm.exceptions.ClientError, match="maximum parameter value"):
                ssm.put_parameter(**value)
