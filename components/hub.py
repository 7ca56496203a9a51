"""What all environments share, put together."""

from typing import Any, TypedDict

import pulumi
from pulumi_azure_native import authorization, operationalinsights, resources

from components.base import Component
from components.budget import Budget
from components.custom_role import CustomRole, custom_role
from components.directory import Directory
from components.github_environment import GithubEnvironment
from components.grants import Grant, grant
from components.identity import Identity
from components.key_vault import KeyVault
from components.machine import ADMINISTRATOR, Machine, marketplace_image
from components.network import Network
from components.published_secret import PublishedSecret, published_secret
from components.roles import (
    BOOT_TAGGER,
    DEPLOY_ACTIONS,
    DEPLOY_NOT_ACTIONS,
    POWER_ACTIONS,
    POWER_OPERATOR,
    PUBLISHER,
    TAG_ACTIONS,
    delegation_condition,
)
from virtci.boot.runner import AgentRelease, RunnerContext, runner_boot_text
from virtci.core.environments import ROWS, Environment
from virtci.core.lifetimes import Lifetime
from virtci.core.names import registration_secret
from virtci.core.oidc import subjects
from virtci.core.roles import role_definition_id
from virtci.core.tags import TagSet, tags
from virtci.settings.models import RUNNERS_SUBNET, Hub, Settings

NOT_REGISTERED = "none"
SHARED = "shared"
DEPLOY = "deploy"
DRIFT = "drift"
"""The environment of the scheduled check, which only reads and waits for nobody."""


class SharedHubArgs(TypedDict):
    """Arguments of `SharedHub`. None of these may be an Output."""

    settings: Settings
    hub: Hub
    directory: Directory
    common_tags: TagSet


class SharedHub(Component):
    """The hub: network, vault, log workspace, runners, and the identities that deploy the fleet.

    Resources: the resource group; a log `Workspace`; `Network`; `KeyVault`; for each runner a `Machine`, an `Identity`
    and the vault `Secret` through which it gets its registration; the identities `deploy` and `preview` with their
    roles; four `RoleDefinition`s: publish a kubeconfig, start and stop one's own compute, write tags on one's own
    machine, deploy; the GitHub environment `deploy`.

    Refuses: Owner and Contributor for anybody. The deploy identity may write the resource types of this project,
    may not purge a vault or read secrets, and may assign only the roles that the fleet uses, to identities only.
    """

    TYPE = "virt-ci:fleet:SharedHub"
    ARGUMENTS = SharedHubArgs

    outputs: dict[str, Any]
    """The hub's part of the output contract."""
    group: resources.ResourceGroup

    def __init__(self, name: str, args: SharedHubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.settings, self.hub, self.directory = args["settings"], args["hub"], args["directory"]
        self.tags = tags(args["common_tags"], SHARED, Lifetime.DURABLE)
        self.runner_tags = tags(args["common_tags"], SHARED, self.hub.runners.lifetime)
        self.subscription_scope = f"/subscriptions/{self.settings.subscription}"
        self.group = resources.ResourceGroup(
            self.child_name(),
            resource_group_name=self.hub.resource_group,
            location=self.settings.region,
            tags=self.tags,
            opts=self.options(),
        )
        workspace = self._workspace()
        network = self._network()
        vault = self._vault(network, workspace)
        self.roles = self._given_roles()
        identities = self._identities()
        runners = [self._runner(runner, network, vault) for runner in self.hub.runners.names]
        self.outputs = {
            "network": {
                "resourceId": network.resource_id,
                "subnetResourceIds": network.subnet_resource_ids,
                "egressAddress": network.egress_address,
                "addressSpace": str(self.hub.network.address_space),
                "subnetRanges": {name: str(subnet) for name, subnet in self.hub.network.subnets.items()},
            },
            "vault": {
                "name": vault.name,
                "resourceGroup": self.group.name,
                "resourceId": vault.resource_id,
                "uri": vault.uri,
            },
            "workspaceId": workspace.id,
            "identities": identities,
            "roles": {name: role.id for name, role in self.roles.items()},
            "machines": runners,
            "runnerLabels": ["self-hosted", *self.hub.runners.labels],
        }
        self.register_outputs({"outputs": self.outputs})

    def _workspace(self) -> operationalinsights.Workspace:
        return operationalinsights.Workspace(
            self.child_name("logs"),
            workspace_name=self.hub.workspace,
            resource_group_name=self.group.name,
            location=self.settings.region,
            tags=self.tags,
            sku={"name": "PerGB2018"},
            retention_in_days=self.hub.log_retention_days,
            features={"disable_local_auth": True},
            opts=self.options(),
        )

    def _network(self) -> Network:
        return Network(
            self.child_name("network"),
            {
                "network_name": self.hub.network.name,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "address_space": self.hub.network.address_space,
                "subnets": self.hub.network.subnets,
                "runners": RUNNERS_SUBNET,
            },
            self.options(),
        )

    def _vault(self, network: Network, workspace: operationalinsights.Workspace) -> KeyVault:
        return KeyVault(
            self.child_name("vault"),
            {
                "vault_name": self.hub.key_vault.name,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "tenant_id": self.settings.tenant,
                "soft_delete_days": self.hub.key_vault.soft_delete_days,
                "allowed_subnet_ids": [
                    network.subnet_resource_ids[subnet] for subnet in self.hub.network.subnets if needs_vault(subnet)
                ],
                "workspace_id": workspace.id,
                "protect": self.settings.protect,
            },
            self.options(),
        )

    def _given_roles(self) -> dict[str, authorization.RoleDefinition]:
        """The custom roles that machines and workflows get, by their names in the output contract.

        The built-in ones do more: who can set a secret can also read and delete it, who can start a machine can also
        change it, who can tag can also deploy.
        """
        publisher = CustomRole(
            name=PUBLISHER,
            description="Sets the value of a secret and nothing else.",
            data_actions=("Microsoft.KeyVault/vaults/secrets/setSecret/action",),
        )
        operator = CustomRole(
            name=POWER_OPERATOR,
            description="Sees, starts and stops a machine or a cluster, and changes nothing of it.",
            actions=POWER_ACTIONS,
        )
        tagger = CustomRole(
            name=BOOT_TAGGER,
            description="Reads and writes the tags of a resource and nothing else.",
            actions=TAG_ACTIONS,
        )
        return {
            "kubeconfigPublisher": self._role("publisher", publisher),
            "powerOperator": self._role("power", operator),
            "bootTagger": self._role("tagger", tagger),
        }

    def _role(self, suffix: str, role: CustomRole) -> authorization.RoleDefinition:
        return custom_role(self, f"{suffix}-role", self.settings.subscription, role)

    def _identities(self) -> dict[str, Any]:
        repository = self.directory.repositories[self.hub.infrastructure_repository]
        deploy = CustomRole(
            name="virt-ci deploy",
            description="Writes the resource types of this project.",
            actions=DEPLOY_ACTIONS,
            not_actions=DEPLOY_NOT_ACTIONS,
        )
        deploy_role = self._role("deploy", deploy)
        scope = self.subscription_scope
        delegate = Grant(
            role="Role Based Access Control Administrator",
            role_definition_id=self._built_in("Role Based Access Control Administrator"),
            scope=scope,
            condition=pulumi.Output.all(*(role.id for role in self.roles.values())).apply(delegation_condition),
        )
        grants = {
            DEPLOY: (
                ("write", Grant(role="virt-ci deploy", role_definition_id=deploy_role.id, scope=scope)),
                ("delegate", delegate),
            ),
            "preview": (
                ("read", Grant(role="Reader", role_definition_id=self._built_in("Reader"), scope=scope)),
            ),
        }  # fmt: skip
        drift = subjects(repository, f"environment:{DRIFT}")
        trusted = {
            DEPLOY: subjects(repository, f"environment:{DEPLOY}"),
            "preview": subjects(repository, "pull_request") | {f"{DRIFT}-{form}": drift[form] for form in drift},
        }
        self._environment(DEPLOY, repository.name)
        self._environment(DRIFT, repository.name, unattended=True)
        return {who: self._identity(who, trusted[who], grants[who]) for who in trusted}

    def _identity(self, who: str, trusted: dict[str, str], grants: tuple[tuple[str, Grant], ...]) -> dict[str, Any]:
        identity = Identity(
            self.child_name(who),
            {
                "identity_name": f"virt-ci-{who}",
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "subjects": trusted,
                "grants": grants,
            },
            self.options(),
        )
        return {"clientId": identity.client_id, "principalId": identity.principal_id, "subjects": trusted}

    def _environment(self, name: str, repository: str, *, unattended: bool = False) -> None:
        """Made here because GitHub makes an environment without protection when a workflow first names it."""
        protection = self.hub.protection
        reviewers = () if unattended else protection.reviewers
        GithubEnvironment(
            self.child_name(f"{name}-environment"),
            {
                "repository": repository,
                "environment": name,
                "reviewer_ids": [self.directory.users[login] for login in reviewers],
                "wait_minutes": 0 if unattended else protection.wait_minutes,
                "branches": protection.branches,
                "unattended": unattended,
            },
            self.options(),
        )

    def _runner(self, runner: str, network: Network, vault: KeyVault) -> dict[str, Any]:
        settings = self.hub.runners
        identity = Identity(
            self.child_name(f"{runner}-identity"),
            {
                "identity_name": f"{runner}-identity",
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.runner_tags,
            },
            self.options(),
        )
        machine = Machine(
            self.child_name(runner),
            {
                "machine_name": runner,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.runner_tags,
                "size": settings.size,
                "image": marketplace_image(settings.image),
                "os_disk_gib": settings.os_disk_gib,
                "lifetime": settings.lifetime,
                "subnet_id": network.subnet_resource_ids[RUNNERS_SUBNET],
                "identity_id": identity.resource_id,
                "boot_text": self._runner_boot_text(runner),
                "vault_name": vault.name,
                "vault_resource_group_name": self.group.name,
            },
            self.options(),
        )
        self._runner_grants(runner, identity, machine, vault)
        return {
            "name": machine.name,
            "role": "runner",
            "resourceGroup": self.group.name,
            "resourceId": machine.resource_id,
            "size": settings.size,
            "privateAddress": machine.private_address,
            "user": ADMINISTRATOR,
            "sshKeySecret": machine.ssh_key_secret,
            "lifetime": settings.lifetime.value,
        }

    def _runner_boot_text(self, runner: str) -> str:
        """What a runner reads at its first boot; its registration comes through the vault."""
        settings = self.hub.runners
        return runner_boot_text(
            RunnerContext(
                hostname=runner,
                repository_url=f"https://github.com/{self.settings.repository}",
                labels=settings.labels,
                vault_uri=f"https://{self.hub.key_vault.name}.vault.azure.net",
                registration_secret=registration_secret(runner),
                agent=AgentRelease(settings.agent.version, settings.agent.sha256),
            )
        )

    def _runner_grants(self, runner: str, identity: Identity, machine: Machine, vault: KeyVault) -> None:
        """A runner reads its own registration and says on its own machine how its boot goes."""
        registration = published_secret(
            self,
            f"{runner}-registration",
            PublishedSecret(
                name=registration_secret(runner),
                vault_name=vault.name,
                resource_group_name=self.group.name,
                tags=self.runner_tags,
                placeholder=NOT_REGISTERED,
                content_type="text/plain",
            ),
        )
        user = "Key Vault Secrets User"
        reads = Grant(role=user, role_definition_id=self._built_in(user), scope=registration.id)
        grant(self, f"{runner}-reads-registration", identity.principal_id, reads)
        tags = Grant(role=BOOT_TAGGER, role_definition_id=self.roles["bootTagger"].id, scope=machine.resource_id)
        grant(self, f"{runner}-tags-boot", identity.principal_id, tags)

    def _built_in(self, role: str) -> str:
        return role_definition_id(self.settings.subscription, role)


def needs_vault(subnet: str) -> bool:
    """Runners fetch keys and kubeconfigs, machines publish theirs; clusters have no business in the vault."""
    return subnet == RUNNERS_SUBNET or ROWS[Environment(subnet)].compute == "machine"


def fleet_budget(settings: Settings, stack: str, opts: pulumi.ResourceOptions) -> Budget | None:
    """The budget of a stack; none where it declares nothing that is paid for.

    On-demand machines have stacks of their own and are paid from that of what they stand on.
    """
    if not settings.budget:
        return None
    return Budget(
        "budget",
        {
            "budget_name": f"virt-ci-{stack}",
            "subscription_id": settings.subscription,
            "tag": ("system", settings.system) if settings.runners else ("stack", stack),
            "monthly_usd": settings.budget.monthly_usd,
            "start": settings.budget.start,
            "contacts": settings.budget.contacts,
        },
        opts,
    )
