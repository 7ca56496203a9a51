"""The clients of commands that act while the fleet runs: of the real clouds, or of those that a rehearsal names.

`VIRTCI_CLOUDS` names a JSON file that only a rehearsal writes; without it, the clients speak to the real clouds with the
login of this shell (`DefaultAzureCredential`). GitHub is where `GITHUB_API_URL` says, as in Actions, with `GITHUB_TOKEN`.

The SDKs take up to half a second to import, so each is imported where its client is made.
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from virtci.core.kubeconfigs import current_user
from virtci.core.problems import Refusal

if TYPE_CHECKING:
    import httpx
    from azure.keyvault.secrets import SecretClient
    from azure.mgmt.authorization import AuthorizationManagementClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.keyvault import KeyVaultManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient
    from azure.storage.blob import ContainerClient
    from kubernetes.client import ApiClient

VARIABLE = "VIRTCI_CLOUDS"
GITHUB_URL = "https://api.github.com"
GITHUB_VERSION = "2022-11-28"
KUBERNETES_TIMEOUT = (5, 30)
"""Seconds to connect and to read; the Kubernetes client has no limit of its own, so every call names this one."""
HTTP_TIMEOUT = 30
Found = TypeVar("Found")
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


class RehearsedClouds(BaseModel):
    """Where the clouds of a rehearsal listen."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    resource_manager: str = Field(description="Base URL of the simulated Resource Manager.")
    vaults: dict[str, str] = Field(default={}, description="Base URL of each simulated vault by its name.")
    aws: str | None = Field(default=None, description="Base URL of the simulated AWS.")
    blobs: dict[str, str] = Field(default={}, description="Base URL of each simulated storage account by its name.")
    certificate: str | None = Field(default=None, description="File with the authority that signed the vaults.")
    token: str = Field(default="rehearsal", description="What clients log in with: anything, or the id of a principal.")


@dataclass(frozen=True, slots=True)
class StubCredential:
    """A login for a simulated cloud."""

    token: str

    def get_token(self, *_: str, **__: object) -> Any:
        """The same token for every audience; it never ends."""
        from azure.core.credentials import AccessToken

        return AccessToken(self.token, 2**31)


@dataclass(frozen=True)
class Clouds:
    """The clients of one subscription, each made when it is first asked for."""

    subscription: str
    rehearsed: RehearsedClouds | None = None
    _secrets: dict[str, "SecretClient"] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def credential(self) -> Any:
        """Who the clients are."""
        if self.rehearsed:
            return StubCredential(self.rehearsed.token)
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()

    @cached_property
    def compute(self) -> "ComputeManagementClient":
        """Machines, their power and the vCPU usage."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def resources(self) -> "ResourceManagementClient":
        """Tags, resource providers, and requests that no other client knows (`send_request`)."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def clusters(self) -> "ContainerServiceClient":
        """Managed clusters, their power and credentials."""
        from azure.mgmt.containerservice import ContainerServiceClient

        return ContainerServiceClient(self.credential, self.subscription, **self._options)

    @cached_property
    def authorization(self) -> "AuthorizationManagementClient":
        """Role definitions and assignments."""
        from azure.mgmt.authorization import AuthorizationManagementClient

        return AuthorizationManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def vaults(self) -> "KeyVaultManagementClient":
        """Vaults as resources; their contents are behind `secrets`."""
        from azure.mgmt.keyvault import KeyVaultManagementClient

        return KeyVaultManagementClient(self.credential, self.subscription, **self._options)

    def secrets(self, vault: str) -> "SecretClient":
        """The contents of one vault. Raises `Refusal` for a vault that a rehearsal does not have."""
        if vault not in self._secrets:
            self._secrets[vault] = self._secret_client(vault)
        return self._secrets[vault]

    def container(self, account: str, endpoint: str, name: str) -> "ContainerClient":
        """A container of a storage account. Raises `Refusal` for an account that a rehearsal does not have."""
        from azure.storage.blob import ContainerClient

        if self.rehearsed is None:
            return ContainerClient(endpoint, name, self.credential)
        if account not in self.rehearsed.blobs:
            raise Refusal(
                f"the rehearsal of {VARIABLE} has a storage account `{account}`",
                "there is nothing to ask",
                f"it has: {', '.join(sorted(self.rehearsed.blobs)) or 'none'}",
            )
        verify = self.rehearsed.certificate or True
        return ContainerClient(
            self.rehearsed.blobs[account], name, self.credential, connection_verify=verify, retry_total=0
        )

    def _secret_client(self, vault: str) -> "SecretClient":
        from azure.keyvault.secrets import SecretClient

        if self.rehearsed is None:
            return SecretClient(f"https://{vault}.vault.azure.net", self.credential)
        if vault not in self.rehearsed.vaults:
            raise Refusal(
                f"the rehearsal of {VARIABLE} has a vault `{vault}`",
                "there is nothing to ask",
                f"it has: {', '.join(sorted(self.rehearsed.vaults)) or 'none'}",
            )
        # A rehearsed vault is at 127.0.0.1, so its name is not part of its address.
        return SecretClient(
            self.rehearsed.vaults[vault],
            self.credential,
            verify_challenge_resource=False,
            connection_verify=self.rehearsed.certificate or True,
            retry_total=0,
        )

    @property
    def _options(self) -> dict[str, Any]:
        """The management clients' own policy would refuse to send a token over plain HTTP."""
        if self.rehearsed is None:
            return {}
        from azure.core.pipeline.policies import HeadersPolicy

        return {
            "base_url": self.rehearsed.resource_manager,
            "authentication_policy": HeadersPolicy({"Authorization": f"Bearer {self.rehearsed.token}"}),
            "retry_total": 0,
            "polling_interval": 0,
        }


def connect(subscription: str) -> Clouds:
    """The clients of a subscription. Raises `Refusal` for a rehearsal's file that cannot be read."""
    name = os.environ.get(VARIABLE)
    return Clouds(subscription, read_rehearsed(Path(name)) if name else None)


def read_rehearsed(file: Path) -> RehearsedClouds:
    """The clouds of a rehearsal. Raises `Refusal` for a file that cannot be read."""
    try:
        return RehearsedClouds.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise Refusal(
            f"{VARIABLE} names the file that a rehearsal wrote",
            f"nobody knows which clouds are meant: {error}",
            f"unset {VARIABLE}, or begin the rehearsal again",
        ) from None


def subscription_of(resource_id: str) -> str:
    """The subscription in an ARM id. Raises `Refusal` for a text that is none."""
    found = _SUBSCRIPTION.match(resource_id)
    if found is None:
        raise Refusal(
            f"`{resource_id}` is an ARM id and begins with /subscriptions/<id>",
            "the subscription of the fleet is not known",
            "read the outputs of the deployed stack again: virtci outputs --stack hub",
        )
    return found.group(1)


def github() -> "httpx.Client":
    """GitHub's REST API. Raises `Refusal` where there is no token."""
    import httpx

    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise Refusal(
            "GITHUB_TOKEN holds a token for GitHub",
            "GitHub answers nothing about repositories",
            "export GITHUB_TOKEN, for example from `gh auth token`",
        )
    return httpx.Client(
        base_url=os.environ.get("GITHUB_API_URL", GITHUB_URL),
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": GITHUB_VERSION,
        },
        timeout=HTTP_TIMEOUT,
        transport=httpx.HTTPTransport(retries=2),
    )


def kubernetes(kubeconfig: str) -> "ApiClient":
    """The API of the cluster that the text of a kubeconfig names; a context manager that closes it.

    Raises `Refusal` for a text that is no kubeconfig, which it never repeats, and where the program that logs in to a
    managed cluster is missing. Pass `KUBERNETES_TIMEOUT` to calls.
    """
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_kube_config_from_dict

    configuration = Configuration()
    try:
        content = yaml.safe_load(kubeconfig)
        _require_login_program(current_user(content))
        load_kube_config_from_dict(content, client_configuration=configuration, persist_config=False)
    except (ConfigException, yaml.YAMLError, AttributeError, TypeError) as error:
        raise Refusal(
            "a kubeconfig names a cluster, a user and the context that joins them",
            f"the cluster cannot be asked ({type(error).__name__})",
            "publish it again: virtci rotate kubeconfig ENV",
        ) from None
    configuration.retries = False
    return ApiClient(configuration)


def _require_login_program(user: Mapping[str, Any] | None) -> None:
    """The client only notes in its log that the program is missing, and goes on as nobody."""
    program = ((user or {}).get("exec") or {}).get("command")
    if program and shutil.which(program) is None:
        raise Refusal(
            f"`{program}` is on PATH; the kubeconfig names it",
            "nobody logs in to the cluster",
            "install it: az aks install-cli",
        )


def unless_absent(read: Callable[[], Found]) -> Found | None:
    """What a read of a cluster gives; nothing when the object, or its type, is not there."""
    from kubernetes.client import ApiException

    try:
        return read()
    except ApiException as error:
        if error.status == 404:
            return None
        raise
