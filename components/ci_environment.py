"""One test environment, put together: compute, identity, kubeconfig, GitHub Environment."""

from ipaddress import IPv4Network
from typing import Any, TypedDict

import pulumi
from pulumi_azure_native import keyvault, resources

from components.base import Component
from components.cluster import Cluster, PoolArgs
from components.directory import Directory
from components.github_environment import GithubEnvironment
from components.grants import Grant, grant
from components.hub_reference import HubReference
from components.identity import Identity
from components.machine import ADMINISTRATOR, Machine, gallery_image
from components.published_secret import PublishedSecret, published_secret
from components.roles import BOOT_TAGGER, POWER_OPERATOR, PUBLISHER
from virtci.boot.dom0 import Dom0Context, K3sRelease, dom0_boot_text
from virtci.core.environments import ROWS, Environment, Gate, test_focus
from virtci.core.hypervisors import Hypervisor
from virtci.core.label_filters import label_filter
from virtci.core.lifetimes import Lifetime
from virtci.core.names import kubeconfig_secret
from virtci.core.oidc import subjects
from virtci.core.roles import role_definition_id
from virtci.core.tags import TagSet, tags
from virtci.settings import models
from virtci.settings.models import EnvironmentSettings, Settings

NOT_PUBLISHED = "apiVersion: v1\nkind: Config\n# The machine has not published its kubeconfig yet.\n"


class CiEnvironmentArgs(TypedDict):
    """Arguments of `CiEnvironment`. None of these may be an Output."""

    settings: Settings
    environment: Environment
    declared: EnvironmentSettings
    hub: HubReference
    directory: Directory
    common_tags: TagSet


class CiEnvironment(Component):
    """An environment in which end-to-end tests run, and the GitHub Environment through which pipelines reach it.

    Resources: the resource group, unless the compute lives in the hub's; for a machine a `Machine` and its `Identity`, for a cluster a `Cluster` and the identity of its control
    plane; a vault `Secret` for the kubeconfig; the `Identity` of the environment's workflows; a `GithubEnvironment`;
    role assignments.

    Refuses: a gate where the environment's row has none; a kubeconfig that others may read. The machine may set its
    kubeconfig, tag itself and read nothing; the workflows may read theirs and the machine's SSH key, start and stop their
    compute, and change nothing.
    """

    TYPE = "virt-ci:fleet:CiEnvironment"
    ARGUMENTS = CiEnvironmentArgs

    outputs: dict[str, Any]
    """The environment's entry in the output contract."""
    machines: list[dict[str, Any]]
    """Its machines in the output contract."""
    clusters: list[dict[str, Any]]
    """Its clusters in the output contract."""

    def __init__(self, name: str, args: CiEnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.environment, self.declared, self.settings = args["environment"], args["declared"], args["settings"]
        self.hub, self.row = args["hub"], ROWS[args["environment"]]
        if self.declared.gate is not Gate.OFF and not self.row.gate_allowed:
            message = f"CiEnvironment `{name}`: the gate {self.declared.gate} is on where the row says off"
            raise ValueError(message)
        self.compute = self.declared.compute
        self.tags = tags(args["common_tags"], self.environment, self.compute.lifetime)
        self.durable_tags = tags(args["common_tags"], self.environment, Lifetime.DURABLE)
        self.machines, self.clusters = [], []
        self.ssh_private_key: pulumi.Output[str] | None = None
        self.group = self._group(self.compute.resource_group)
        secrets = self._declare_compute()
        identity = self._identity(args, secrets)
        self._github(args, identity)
        self.outputs = self._contract(identity)
        self.register_outputs({"outputs": self.outputs, "machines": self.machines, "clusters": self.clusters})

    def _group(self, name: str | None) -> pulumi.Output[str]:
        if name is None:
            return self.hub.vault_resource_group
        group = resources.ResourceGroup(
            self.child_name("group"),
            resource_group_name=name,
            location=self.settings.region,
            tags=self.durable_tags,
            opts=self.options(),
        )
        name_of_group: pulumi.Output[str] = group.name
        return name_of_group

    def _declare_compute(self) -> dict[str, pulumi.Output[str]]:
        """The compute, and the ids of the vault secrets that the environment's workflows may read."""
        if isinstance(self.compute, models.Machine):
            return self._machine(self.compute)
        return self._cluster(self.compute)

    def _machine(self, declared: models.Machine) -> dict[str, pulumi.Output[str]]:
        kubeconfig = self._published_kubeconfig()
        identity = self._machine_identity(declared.name)
        publisher = Grant(role=PUBLISHER, role_definition_id=self.hub.publisher_role_id, scope=kubeconfig)
        grant(self, "publish-kubeconfig", identity.principal_id, publisher)
        machine = Machine(
            self.child_name("machine"),
            {
                "machine_name": declared.name,
                "resource_group_name": self.group,
                "location": self.settings.region,
                "tags": self.tags,
                "size": declared.size,
                "image": gallery_image(declared.image),
                "os_disk_gib": declared.os_disk_gib,
                "lifetime": declared.lifetime,
                "shutdown_time": declared.shutdown_time,
                "time_zone": declared.time_zone,
                "subnet_id": self.hub.subnet_id(self.environment),
                "identity_id": identity.resource_id,
                "boot_text": self._boot_text(declared),
                "vault_name": self.hub.vault_name,
                "vault_resource_group_name": self.hub.vault_resource_group,
            },
            self.options(),
        )
        tagger = Grant(role=BOOT_TAGGER, role_definition_id=self.hub.tagger_role_id, scope=machine.resource_id)
        grant(self, "tags-boot", identity.principal_id, tagger)
        self.compute_id = machine.resource_id
        self.ssh_private_key = machine.ssh_private_key
        self.machines = [
            {
                "name": machine.name,
                "role": "environment",
                "environment": self.environment.value,
                "resourceGroup": self.group,
                "resourceId": machine.resource_id,
                "size": declared.size,
                "privateAddress": machine.private_address,
                "user": ADMINISTRATOR,
                "sshKeySecret": machine.ssh_key_secret,
                "lifetime": declared.lifetime.value,
            }
        ]
        return {
            "kubeconfig": kubeconfig,
            "ssh-key": machine.ssh_key_secret_id,
        }

    def _boot_text(self, declared: models.Machine) -> pulumi.Output[str]:
        """What the machine reads at its first boot: its place in the hub's network, and where its kubeconfig goes."""
        release = K3sRelease(declared.k3s.version, declared.k3s.binary_sha256, declared.k3s.install_script_sha256)

        def text(found: list[Any]) -> str:
            vault_uri, address_space, ranges = found
            return dom0_boot_text(
                Dom0Context(
                    hostname=declared.name,
                    environment=self.environment.value,
                    hypervisor=self.row.hypervisor,
                    vault_uri=vault_uri,
                    kubeconfig_secret=kubeconfig_secret(self.environment),
                    secret_tags=self.durable_tags,
                    address_space=IPv4Network(address_space),
                    runners_subnet=IPv4Network(ranges[models.RUNNERS_SUBNET]),
                    k3s=release,
                )
            )

        return pulumi.Output.all(self.hub.vault_uri, self.hub.address_space, self.hub.subnet_ranges).apply(text)

    def _cluster(self, declared: models.Cluster) -> dict[str, pulumi.Output[str]]:
        identity = self._machine_identity(declared.name)
        subnet = self.hub.subnet_id(self.environment)
        joins = Grant(
            role="Network Contributor", role_definition_id=self._built_in("Network Contributor"), scope=subnet
        )
        joined = grant(self, "join-subnet", identity.principal_id, joins)
        cluster = Cluster(
            self.child_name("cluster"),
            {
                "cluster_name": declared.name,
                "resource_group_name": self.group,
                "location": self.settings.region,
                "tags": self.tags,
                "tenant_id": self.settings.tenant,
                "kubernetes_version": declared.kubernetes_version,
                "system_pool": pool_arguments(declared.system_pool),
                "worker_pool": pool_arguments(declared.worker_pool),
                "subnet_id": subnet,
                "identity_id": identity.resource_id,
                "workspace_id": self.hub.workspace_id,
                "protect": self.settings.protect,
            },
            self.options(depends_on=[joined]),
        )
        reads = self._cluster_user(cluster)
        grant(self, "preview-reads-cluster", self.hub.preview_principal_id, reads)
        self.clusters = [
            {
                "name": cluster.name,
                "environment": self.environment.value,
                "resourceGroup": self.group,
                "resourceId": cluster.resource_id,
                "privateFqdn": cluster.private_fqdn,
            }
        ]
        self.cluster, self.compute_id = cluster, cluster.resource_id
        return {"kubeconfig": self._declared_kubeconfig(cluster.kubeconfig)}

    def _machine_identity(self, compute: str) -> Identity:
        return Identity(
            self.child_name("machine-identity"),
            {
                "identity_name": f"{compute}-identity",
                "resource_group_name": self.group,
                "location": self.settings.region,
                "tags": self.durable_tags,
            },
            self.options(),
        )

    def _published_kubeconfig(self) -> pulumi.Output[str]:
        secret = PublishedSecret(
            name=kubeconfig_secret(self.environment),
            vault_name=self.hub.vault_name,
            resource_group_name=self.hub.vault_resource_group,
            tags=self.durable_tags,
            placeholder=NOT_PUBLISHED,
            content_type="application/yaml",
        )
        secret_id: pulumi.Output[str] = published_secret(self, "kubeconfig", secret).id
        return secret_id

    def _declared_kubeconfig(self, value: pulumi.Input[str]) -> pulumi.Output[str]:
        secret = keyvault.Secret(
            self.child_name("kubeconfig"),
            secret_name=kubeconfig_secret(self.environment),
            vault_name=self.hub.vault_name,
            resource_group_name=self.hub.vault_resource_group,
            tags=self.durable_tags,
            properties={"value": pulumi.Output.secret(value), "content_type": "application/yaml"},
            opts=self.options(),
        )
        secret_id: pulumi.Output[str] = secret.id
        return secret_id

    def _identity(self, args: CiEnvironmentArgs, secrets: dict[str, pulumi.Output[str]]) -> Identity:
        """Who the environment's workflows are: they read their own secrets, and wake, park and use their own compute."""
        repository = args["directory"].repositories[self.settings.repository]
        user = self._built_in("Key Vault Secrets User")
        grants = [
            (f"reads-{what}", Grant(role="Key Vault Secrets User", role_definition_id=user, scope=scope))
            for what, scope in secrets.items()
        ]
        operator = Grant(role=POWER_OPERATOR, role_definition_id=self.hub.operator_role_id, scope=self.compute_id)
        grants.append(("operates-compute", operator))
        if self.declared.cluster:
            administrator = "Azure Kubernetes Service RBAC Cluster Admin"
            grants += [
                ("uses-cluster", self._cluster_user(self.cluster)),
                (
                    "administers-cluster",
                    Grant(
                        role=administrator,
                        role_definition_id=self._built_in(administrator),
                        scope=self.cluster.resource_id,
                    ),
                ),
            ]
        return Identity(
            self.child_name("identity"),
            {
                "identity_name": f"virt-ci-{self.environment}",
                "resource_group_name": self.group,
                "location": self.settings.region,
                "tags": self.durable_tags,
                "subjects": subjects(repository, f"environment:{self.environment}"),
                "grants": grants,
            },
            self.options(),
        )

    def _cluster_user(self, cluster: Cluster) -> Grant:
        role = "Azure Kubernetes Service Cluster User Role"
        return Grant(role=role, role_definition_id=self._built_in(role), scope=cluster.resource_id)

    def _github(self, args: CiEnvironmentArgs, identity: Identity) -> None:
        protection = self.declared.protection
        GithubEnvironment(
            self.child_name("github"),
            {
                "repository": self.settings.repository.split("/")[1],
                "environment": self.environment.value,
                "reviewer_ids": [args["directory"].users[login] for login in protection.reviewers],
                "wait_minutes": protection.wait_minutes,
                "branches": protection.branches,
                "variables": self._variables(identity),
                "secrets": {"SSH_PRIVATE_KEY": self.ssh_private_key} if self.ssh_private_key is not None else {},
            },
            self.options(),
        )

    def _variables(self, identity: Identity) -> dict[str, pulumi.Input[str]]:
        """What the test pipeline reads; empty ones are left out, because GitHub has no empty variables."""
        found: dict[str, pulumi.Input[str]] = {
            "AZURE_CLIENT_ID": identity.client_id,
            "AZURE_TENANT_ID": self.settings.tenant,
            "AZURE_SUBSCRIPTION_ID": self.settings.subscription,
            "RESOURCE_GROUP": self.group,
            "COMPUTE_NAME": self.compute.name,
            "KEY_VAULT": self.hub.vault_name,
            "KUBECONFIG_SECRET": kubeconfig_secret(self.environment),
            "HYPERVISOR": self.row.hypervisor.value,
            "EMULATION": "true" if self.row.hypervisor is Hypervisor.EMULATION else "false",
            "TEST_FOCUS": test_focus(self.environment),
            "LABEL_FILTER": label_filter(self.environment, test_focus(self.environment)),
            "TESTS_ENABLED": "true" if self.declared.tests.enabled else "false",
        }
        if self.declared.gate is not Gate.OFF:
            found["FEATURE_GATES"] = self.declared.gate.value
        if self.declared.tests.reason:
            found["TESTS_DISABLED_REASON"] = self.declared.tests.reason
        return found

    def _contract(self, identity: Identity) -> dict[str, Any]:
        return {
            "purpose": self.row.purpose,
            "hypervisor": self.row.hypervisor.value,
            "gate": self.declared.gate.value,
            "compute": self.compute.name,
            "resourceGroup": self.group,
            "repository": self.settings.repository,
            "kubeconfigSecret": kubeconfig_secret(self.environment),
            "identity": {"clientId": identity.client_id, "principalId": identity.principal_id},
            "tests": {
                "enabled": self.declared.tests.enabled,
                "reason": self.declared.tests.reason,
                "scope": self.row.scope.value,
                "focus": test_focus(self.environment),
                "labelFilter": label_filter(self.environment, test_focus(self.environment)),
            },
        }

    def _built_in(self, role: str) -> str:
        return role_definition_id(self.settings.subscription, role)


def pool_arguments(pool: models.Pool) -> PoolArgs:
    """A pool of the settings as arguments of the cluster."""
    return {
        "name": pool.name,
        "size": pool.size,
        "count": pool.count,
        "minimum": pool.minimum,
        "maximum": pool.maximum,
        "surge": pool.surge,
        "os_disk_gib": pool.os_disk_gib,
    }
