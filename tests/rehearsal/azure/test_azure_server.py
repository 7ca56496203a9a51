"""Real azure-mgmt clients talk to the same simulated cloud."""

from collections.abc import Iterator

import httpx
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import HeadersPolicy
from azure.mgmt.compute import ComputeManagementClient

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.world import NoCredential


@pytest.fixture
def url(cloud: Cloud) -> Iterator[str]:
    with serve(cloud.manager) as endpoint:
        yield endpoint.url


def client(url: str, principal: str = "stub") -> ComputeManagementClient:
    """The client's own policy would refuse to send a token over plain HTTP."""
    return ComputeManagementClient(
        NoCredential(),
        SUBSCRIPTION.rsplit("/", 1)[-1],
        base_url=url,
        authentication_policy=HeadersPolicy({"Authorization": f"Bearer {principal}"}),
        retry_total=0,
        polling_interval=0,
    )


def test_a_machine_made_through_the_provider_is_seen_by_the_compute_client(cloud: Cloud, url: str) -> None:
    _, outputs = cloud.machine()
    compute = client(url)
    assert [item.name for item in compute.virtual_machines.list("rg")] == ["vm"]
    assert [item.name for item in compute.virtual_machines.list_all()] == ["vm"]
    assert compute.virtual_machines.get("rg", "vm").vm_id == outputs["vmId"]


def test_the_compute_client_reads_the_power_state_and_changes_it(cloud: Cloud, url: str) -> None:
    cloud.machine()
    compute = client(url)
    compute.virtual_machines.begin_deallocate("rg", "vm").result()
    view = compute.virtual_machines.get("rg", "vm", expand="instanceView").instance_view
    assert [status.code for status in view.statuses][-1] == "PowerState/deallocated"


def test_the_compute_client_reads_the_usage(cloud: Cloud, url: str) -> None:
    cloud.machine()
    usage = {item.name.value: (item.current_value, item.limit) for item in client(url).usage.list("westus")}
    assert usage["standardDSv5Family"] == (2, 8)


def test_the_compute_client_deletes_a_machine(cloud: Cloud, url: str) -> None:
    made, _ = cloud.machine()
    client(url).virtual_machines.begin_delete("rg", "vm").result()
    assert not cloud.exists(made)


def test_refusals_arrive_as_the_clients_own_errors(cloud: Cloud, url: str) -> None:
    cloud.group()
    with pytest.raises(ResourceNotFoundError, match="was not found"):
        client(url).virtual_machines.get("rg", "vm")


def test_a_token_that_is_a_principal_has_its_own_bucket(cloud: Cloud, url: str) -> None:
    for _ in range(250):
        cloud.request("GET", GROUP)
    with pytest.raises(HttpResponseError, match="SubscriptionRequestsThrottled"):
        list(client(url).virtual_machines.list_all())
    assert list(client(url, "00000000-0000-0000-0000-0000000000e1").virtual_machines.list_all()) == []


def test_a_body_that_is_not_json_is_refused(url: str) -> None:
    response = httpx.put(f"{url}{GROUP}", content=b"{")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "InvalidRequestContent"
