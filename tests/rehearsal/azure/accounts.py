"""A storage account with a container and somebody who may write it, for tests of what is kept there."""

from typing import Any

from azure.storage.blob import ContainerClient

from components.runner_roles import RECORDER
from tests.rehearsal.azure.machines import Login, grant, role
from tests.rehearsal.azure.simulated import GROUP, Cloud
from virtci.rehearsal.azure.https import SecureEndpoint

ACCOUNT = "recordsofruns"
ACCOUNT_ID = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
CONTAINER = "records"
CONTAINER_ID = f"{ACCOUNT_ID}/blobServices/default/containers/{CONTAINER}"


def account(cloud: Cloud, name: str = ACCOUNT, **more: Any) -> str:
    closed = {"kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "allowSharedKeyAccess": False}
    return cloud.create("storage:StorageAccount", accountName=name, **(closed | more))[0]


def container(cloud: Cloud, name: str = CONTAINER, **more: Any) -> str:
    return cloud.create("storage:BlobContainer", accountName=ACCOUNT, containerName=name, **more)[0]


def recorder(cloud: Cloud, name: str = "launcher", scope: str = CONTAINER_ID) -> str:
    """An identity that may read, write and delete blobs of a container; gives its principal."""
    _, identity = cloud.identity(name)
    own = role(cloud, f"{name} records", actions=[], dataActions=list(RECORDER.data_actions))
    grant(cloud, identity["principalId"], own, scope)
    return str(identity["principalId"])


def container_client(endpoint: SecureEndpoint, token: str, name: str = CONTAINER, **options: Any) -> ContainerClient:
    """The real client, as the run-time commands make it for a rehearsal."""
    return ContainerClient(
        endpoint.url, name, Login(token), connection_verify=str(endpoint.certificate), retry_total=0, **options
    )
