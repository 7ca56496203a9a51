"""The real client of blobs against the simulated data plane."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings

from tests.rehearsal.azure.accounts import (
    ACCOUNT,
    CONTAINER_ID,
    account,
    container,
    container_client,
    recorder,
)
from tests.rehearsal.azure.machines import SUBNET_ID, grant
from tests.rehearsal.azure.simulated import SUBSCRIPTION, Cloud, build
from tests.rehearsal.azure.test_azure_secrets import plain
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.blobs import AUDIENCE, Blobs, contents, serve_blobs
from virtci.rehearsal.azure.https import SecureEndpoint
from virtci.rehearsal.azure.tokens import issue
from virtci.rehearsal.journal import Fault

ELSEWHERE = "00000000-0000-0000-0000-0000000000f1"
VERSION = {"x-ms-version": "2024-11-04"}


@pytest.fixture
def launcher(ready: Cloud) -> str:
    """Who may read and write the records."""
    account(ready)
    container(ready)
    return recorder(ready)


@pytest.fixture
def endpoint(ready: Cloud, tmp_path: Path) -> Iterator[SecureEndpoint]:
    with serve_blobs(Blobs(ready.manager, ACCOUNT), tmp_path) as served:
        yield served


@pytest.fixture
def records(launcher: str, endpoint: SecureEndpoint) -> ContainerClient:
    return container_client(endpoint, launcher)


def said(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str]:
    """Status and code of what the service said."""
    found: Any = error.value
    return found.status_code, str(getattr(found.error_code, "value", found.error_code))


def test_a_blob_is_written_and_read_with_all_its_marks(ready: Cloud, records: ContainerClient) -> None:
    records.upload_blob(
        "runs/1.json", b"{}", metadata={"run": "1"}, content_settings=ContentSettings("application/json")
    )

    found = records.download_blob("runs/1.json")
    marks = found.properties
    assert (found.readall(), marks.content_settings.content_type, marks.metadata) == (
        b"{}",
        "application/json",
        {"run": "1"},
    )
    assert marks.last_modified == ready.clock.now.replace(microsecond=0)
    assert contents(ready.manager, ACCOUNT, "records") == {"runs/1.json": b"{}"}


def test_an_empty_blob_is_read_as_well(records: ContainerClient) -> None:
    records.upload_blob("empty", b"")
    assert records.download_blob("empty").readall() == b""


def test_a_part_of_a_blob_is_read(records: ContainerClient) -> None:
    records.upload_blob("log", b"0123456789")
    assert records.download_blob("log", offset=3, length=4).readall() == b"3456"


def test_the_marks_of_a_blob_are_told_without_its_content(records: ContainerClient) -> None:
    records.upload_blob("log", b"0123456789")
    blob = records.get_blob_client("log")
    assert blob.get_blob_properties().size == 10
    assert blob.exists()
    assert not records.get_blob_client("other").exists()


def test_what_must_not_be_there_yet_is_made_once(records: ContainerClient) -> None:
    records.upload_blob("lease", b"one")
    with pytest.raises(ResourceExistsError) as error:
        records.upload_blob("lease", b"two")
    assert said(error) == (409, "BlobAlreadyExists")
    assert records.download_blob("lease").readall() == b"one"


def test_a_write_that_names_the_version_it_replaces_loses_against_another(records: ContainerClient) -> None:
    first = records.upload_blob("lease", b"one").get_blob_properties().etag
    records.upload_blob("lease", b"two", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError) as error:
        records.upload_blob(
            "lease", b"three", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified
        )
    assert said(error) == (412, "ConditionNotMet")
    assert records.download_blob("lease").readall() == b"two"


def test_every_write_has_a_version_of_its_own_even_of_the_same_content(records: ContainerClient) -> None:
    tags = [records.upload_blob("lease", b"same", overwrite=True).get_blob_properties().etag for _ in range(3)]
    records.delete_blob("lease")
    tags.append(records.upload_blob("lease", b"same").get_blob_properties().etag)
    assert len(set(tags)) == 4


def test_a_version_of_what_is_gone_cannot_be_replaced(records: ContainerClient) -> None:
    tag = records.upload_blob("lease", b"one").get_blob_properties().etag
    records.delete_blob("lease")
    with pytest.raises(HttpResponseError) as error:
        records.upload_blob("lease", b"two", overwrite=True, etag=tag, match_condition=MatchConditions.IfNotModified)
    assert said(error) == (412, "ConditionNotMet")
    with pytest.raises(HttpResponseError) as error:
        records.upload_blob("lease", b"two", overwrite=True, match_condition=MatchConditions.IfPresent)
    assert error.value.status_code == 412


def test_a_deletion_that_names_another_version_is_refused(records: ContainerClient) -> None:
    tag = records.upload_blob("lease", b"one").get_blob_properties().etag
    records.upload_blob("lease", b"two", overwrite=True)
    with pytest.raises(ResourceModifiedError) as error:
        records.delete_blob("lease", etag=tag, match_condition=MatchConditions.IfNotModified)
    assert said(error) == (412, "ConditionNotMet")


def test_a_read_of_a_version_that_is_known_gets_nothing(records: ContainerClient) -> None:
    tag = records.upload_blob("lease", b"one").get_blob_properties().etag
    with pytest.raises(HttpResponseError) as error:
        records.download_blob("lease", etag=tag, match_condition=MatchConditions.IfModified)
    assert error.value.status_code == 304


def test_dates_are_conditions_as_well(ready: Cloud, records: ContainerClient) -> None:
    records.upload_blob("lease", b"one")
    now = ready.clock.now
    with pytest.raises(HttpResponseError) as error:
        records.download_blob("lease", if_modified_since=now)
    assert error.value.status_code == 304
    with pytest.raises(HttpResponseError) as error:
        records.delete_blob("lease", if_unmodified_since=now - timedelta(minutes=1))
    assert said(error) == (412, "ConditionNotMet")
    records.delete_blob("lease", if_unmodified_since=now)


def test_of_many_writers_of_one_version_one_wins(records: ContainerClient) -> None:
    tag = records.upload_blob("lease", b"start").get_blob_properties().etag
    won: list[int] = []

    def write(number: int) -> None:
        try:
            records.upload_blob(
                "lease", str(number).encode(), overwrite=True, etag=tag, match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError:
            return
        won.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [str(number).encode() for number in won] == [records.download_blob("lease").readall()]


def test_blobs_are_listed_in_order_below_a_prefix_and_in_pages(records: ContainerClient) -> None:
    for name in ("runs/2", "runs/1", "leases/a", "runs/3 <&>"):
        records.upload_blob(name, b"")
    assert list(records.list_blob_names()) == ["leases/a", "runs/1", "runs/2", "runs/3 <&>"]
    pages = [[item.name for item in page] for page in records.list_blobs("runs/", results_per_page=2).by_page()]
    assert pages == [["runs/1", "runs/2"], ["runs/3 <&>"]]


def test_folders_are_listed_by_their_prefix(records: ContainerClient) -> None:
    for name in ("top", "runs/1", "runs/2", "leases/a"):
        records.upload_blob(name, b"12345")
    found = list(records.walk_blobs())
    assert [item.name for item in found] == ["leases/", "runs/", "top"]
    assert found[-1].size == 5


def test_a_caller_without_a_token_is_told_where_to_get_one(launcher: str, endpoint: SecureEndpoint) -> None:
    del launcher
    answer = plain(endpoint).get("/records/lease", headers=VERSION)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    assert f"resource_id={AUDIENCE}" in answer.headers["WWW-Authenticate"]


def test_account_keys_and_signatures_are_refused(launcher: str, endpoint: SecureEndpoint) -> None:
    del launcher
    client = BlobServiceClient(endpoint.url, {"account_name": ACCOUNT, "account_key": "a2V5"},
                               connection_verify=str(endpoint.certificate), retry_total=0)  # fmt: skip
    with pytest.raises(HttpResponseError) as error:
        client.get_container_client("records").upload_blob("lease", b"")
    assert said(error) == (403, "KeyBasedAuthenticationNotPermitted")
    assert plain(endpoint).get("/records/lease?sv=1&sig=abc", headers=VERSION).status_code == 403


def test_a_token_for_another_service_or_of_yesterday_is_refused(
    ready: Cloud, launcher: str, endpoint: SecureEndpoint
) -> None:
    for token in (
        issue(launcher, "https://vault.azure.net", ready.clock.now.timestamp() + 60),
        issue(launcher, AUDIENCE, ready.clock.now.timestamp() - 1),
        "made-up.token",
    ):
        with pytest.raises(ClientAuthenticationError):
            container_client(endpoint, token).upload_blob("lease", b"")


def test_a_token_of_the_service_is_good(ready: Cloud, launcher: str, endpoint: SecureEndpoint) -> None:
    token = issue(launcher, AUDIENCE, ready.clock.now.timestamp() + 60)
    container_client(endpoint, token).upload_blob("lease", b"one")


def test_rights_are_those_of_the_container(ready: Cloud, launcher: str, endpoint: SecureEndpoint) -> None:
    container(ready, "run-stacks")
    with pytest.raises(HttpResponseError) as error:
        container_client(endpoint, launcher, "run-stacks").upload_blob("stack", b"")
    assert said(error) == (403, "AuthorizationPermissionMismatch")


def test_reader_of_everything_reads_no_blob(ready: Cloud, records: ContainerClient, endpoint: SecureEndpoint) -> None:
    records.upload_blob("lease", b"one")
    _, identity = ready.identity("reader")
    grant(ready, identity["principalId"], "Reader", SUBSCRIPTION)
    with pytest.raises(HttpResponseError) as error:
        container_client(endpoint, identity["principalId"]).download_blob("lease")
    assert said(error) == (403, "AuthorizationPermissionMismatch")
    assert container_client(endpoint, identity["principalId"]).exists()


def test_a_role_works_only_after_it_has_spread(ready: Cloud, tmp_path: Path) -> None:
    account(ready)
    container(ready)
    late = PROPAGATION_SECONDS * 3
    principal = recorder(ready)
    with serve_blobs(Blobs(ready.manager, ACCOUNT, propagation=late, seconds_per_refusal=late), tmp_path) as served:
        client = container_client(served, principal)
        with pytest.raises(HttpResponseError):
            client.upload_blob("lease", b"one")
        client.upload_blob("lease", b"two")


def test_callers_without_a_login_of_their_own_are_who_the_rehearsal_says(
    ready: Cloud, launcher: str, tmp_path: Path
) -> None:
    with serve_blobs(Blobs(ready.manager, ACCOUNT, caller=launcher), tmp_path) as served:
        container_client(served, "rehearsal").upload_blob("lease", b"one")


INSIDE: dict[str, Any] = {"subnet": SUBNET_ID}
OUTSIDE: dict[str, Any] = {"address": "203.0.113.10"}


@pytest.mark.parametrize(
    ("rules", "place", "is_let_in"),
    [
        ({"defaultAction": "Allow"}, OUTSIDE, True),
        ({"defaultAction": "Deny"}, OUTSIDE, False),
        ({"defaultAction": "Deny"}, INSIDE, False),
        ({"defaultAction": "Deny", "virtualNetworkRules": [{"virtualNetworkResourceId": SUBNET_ID}]}, INSIDE, True),
        ({"defaultAction": "Deny", "virtualNetworkRules": [{"virtualNetworkResourceId": SUBNET_ID}]}, OUTSIDE, False),
        ({"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "203.0.113.0/28"}]}, OUTSIDE, True),
        ({"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "203.0.113.0/28"}]}, INSIDE, False),
    ],
)
def test_the_firewall_lets_in_whom_it_names(
    ready: Cloud, tmp_path: Path, rules: Any, place: Any, is_let_in: bool
) -> None:
    account(ready, networkRuleSet=rules)
    container(ready)
    principal = recorder(ready)
    with serve_blobs(Blobs(ready.manager, ACCOUNT, **place), tmp_path) as served:
        client = container_client(served, principal)
        if is_let_in:
            client.upload_blob("lease", b"")
        else:
            with pytest.raises(HttpResponseError) as error:
                client.upload_blob("lease", b"")
            assert said(error) == (403, "AuthorizationFailure")


def test_an_absent_blob_and_an_absent_container_are_told_apart(
    records: ContainerClient, endpoint: SecureEndpoint, launcher: str
) -> None:
    with pytest.raises(ResourceNotFoundError) as error:
        records.download_blob("lease")
    assert said(error) == (404, "BlobNotFound")
    with pytest.raises(ResourceNotFoundError) as error:
        container_client(endpoint, launcher, "others").upload_blob("lease", b"")
    assert said(error) == (404, "ContainerNotFound")
    with pytest.raises(ResourceNotFoundError):
        records.delete_blob("lease")


def test_nobody_answers_where_there_is_no_account(endpoint: SecureEndpoint) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        plain(endpoint).get("/records/lease", headers=VERSION)


@pytest.mark.parametrize(
    ("method", "target", "headers", "code"),
    [
        ("PUT", "/records/lease", {}, "MissingRequiredHeader"),
        ("PUT", "/records/lease", {"x-ms-blob-type": "PageBlob"}, "InvalidHeaderValue"),
        ("PUT", "/records/lease", {"x-ms-blob-type": "BlockBlob", "Content-MD5": "AAAA"}, "Md5Mismatch"),
        (
            "PUT",
            "/records/lease",
            {"x-ms-blob-type": "BlockBlob", "If-Unmodified-Since": "never"},
            "InvalidHeaderValue",
        ),
        ("PUT", f"/records/{'x' * 1025}", {"x-ms-blob-type": "BlockBlob"}, "OutOfRangeInput"),
        ("PUT", "/records/lease?comp=lease", {}, "InvalidQueryParameterValue"),
        ("GET", "/records/lease?snapshot=1", {}, "InvalidQueryParameterValue"),
        ("GET", "/records?restype=container&comp=list&maxresults=0", {}, "OutOfRangeQueryParameterValue"),
        ("POST", "/records/lease", {}, "InvalidUri"),
        ("GET", "/records/lease", {"x-ms-version": "2015-01-01"}, "InvalidHeaderValue"),
    ],
)
def test_what_the_service_does_not_take_is_refused(
    launcher: str, endpoint: SecureEndpoint, method: str, target: str, headers: dict[str, str], code: str
) -> None:
    answer = plain(endpoint).request(
        method, target, headers={**VERSION, "Authorization": f"Bearer {launcher}", **headers}
    )
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)
    assert f"<Code>{code}</Code>" in answer.text


def test_a_blob_stays_when_its_container_is_written_again(ready: Cloud, records: ContainerClient) -> None:
    records.upload_blob("lease", b"one")
    ready.update(
        "storage:BlobContainer", CONTAINER_ID, accountName=ACCOUNT, containerName="records", metadata={"a": "b"}
    )
    assert records.download_blob("lease").readall() == b"one"


def test_calls_are_in_the_journal_without_content(ready: Cloud, records: ContainerClient) -> None:
    records.upload_blob("lease", b"content")
    with pytest.raises(ResourceNotFoundError):
        records.download_blob("other")
    calls = [call for call in ready.journal.calls if call.cloud == "blobs"]
    assert [(call.operation, call.target, call.status, call.code) for call in calls] == [
        ("PUT", "/records/lease", 201, ""), ("GET", "/records/other", 404, "BlobNotFound"),
    ]  # fmt: skip
    assert "content" not in str(calls)


def test_a_planned_fault_meets_a_call_and_one_whose_answer_is_lost_was_carried_out(tmp_path: Path) -> None:
    faults = (
        Fault(cloud="blobs", operation="PUT", status=503, code="ServerBusy"),
        Fault(cloud="blobs", operation="PUT", status=500, code="OperationTimedOut", after=True),
    )
    cloud = build(None, *faults)
    cloud.group()
    account(cloud)
    container(cloud)
    principal = recorder(cloud)
    with serve_blobs(Blobs(cloud.manager, ACCOUNT), tmp_path) as served:
        client = container_client(served, principal)
        for code in ("ServerBusy", "OperationTimedOut"):
            with pytest.raises(HttpResponseError) as error:
                client.upload_blob("lease", b"one")
            assert said(error)[1] == code
    assert contents(cloud.manager, ACCOUNT, "records") == {"lease": b"one"}
