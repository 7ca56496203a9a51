"""The vault: closed, recoverable, audited, and open to each identity for its own secret only."""

import pytest

from tests.committed import ROLES, STACKS, fleet

VAULT = "azure-native:keyvault:Vault"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def test_the_vault_is_in_rbac_mode_and_cannot_be_purged() -> None:
    properties = fleet("hub").one(VAULT).inputs["properties"]

    assert properties["enableRbacAuthorization"] is True
    assert properties["enablePurgeProtection"] is True
    assert properties["enableSoftDelete"] is True
    assert "accessPolicies" not in properties


def test_the_firewall_lets_in_the_subnets_that_need_it_and_no_cluster() -> None:
    acls = fleet("hub").one(VAULT).inputs["properties"]["networkAcls"]

    assert (acls["defaultAction"], acls["bypass"]) == ("Deny", "None")
    assert [rule["id"].rsplit("/", 1)[-1] for rule in acls["virtualNetworkRules"]] == [
        "runners",
        "dev",
        "test-mshv",
        "test-emulation",
    ]


def test_the_audit_log_goes_to_the_workspace() -> None:
    setting = fleet("hub").one("azure-native:monitor:DiagnosticSetting").inputs

    assert setting["resourceUri"] == "/ids/hub-vault"
    assert setting["workspaceId"] == "/ids/hub-logs"
    assert {"categoryGroup": "audit", "enabled": True} in setting["logs"]


def test_every_machine_has_its_own_ssh_key_in_the_vault() -> None:
    machines = [
        item.inputs["vmName"] for stack in STACKS for item in fleet(stack).all("azure-native:compute:VirtualMachine")
    ]
    secrets = [
        item.inputs["secretName"] for stack in STACKS for item in fleet(stack).all("azure-native:keyvault:Secret")
    ]

    assert [f"{machine}-ssh-key" for machine in machines if f"{machine}-ssh-key" not in secrets] == []


def test_every_environment_has_its_own_kubeconfig_in_the_vault() -> None:
    secrets = {
        item.inputs["secretName"] for stack in STACKS for item in fleet(stack).all("azure-native:keyvault:Secret")
    }

    assert {f"{name}-kubeconfig" for name in ("dev", "test-mshv", "test-kvm", "test-emulation")} <= secrets


def test_the_keys_are_ed25519() -> None:
    algorithms = {
        item.inputs["algorithm"] for stack in STACKS for item in fleet(stack).all("tls:index/privateKey:PrivateKey")
    }

    assert algorithms == {"ED25519"}


def rights(stack: str, principal: str) -> dict[str, str]:
    """What a principal may do: the id of the role by the resource that it is given on."""
    return {
        item.inputs["scope"].rsplit("/", 1)[-1]: item.inputs["roleDefinitionId"].rsplit("/", 1)[-1]
        for item in fleet(stack).all(ASSIGNMENT)
        if item.inputs["principalId"] == principal
    }


def test_a_machine_may_set_its_own_kubeconfig_and_tag_itself_and_nothing_else() -> None:
    assert rights("dev", "principal-of-dev-machine-identity") == {
        "dev-kubeconfig": ROLES["kubeconfigPublisher"],
        "dev-machine": ROLES["bootTagger"],
    }


def test_a_runner_may_read_its_own_registration_and_tag_itself_and_nothing_else() -> None:
    runner = "hub-kubevirt-gh-actions-runner-2"
    found = rights("hub", f"principal-of-{runner}-identity")

    assert found == {f"{runner}-registration": SECRETS_USER, runner: "hub-tagger-role"}


def test_an_environment_may_read_its_own_secrets_and_wake_and_park_its_own_machine_only() -> None:
    assert rights("dev", "principal-of-dev-identity") == {
        "dev-kubeconfig": SECRETS_USER,
        "dev-machine-ssh-secret": SECRETS_USER,
        "dev-machine": ROLES["powerOperator"],
    }


def test_an_environment_on_a_cluster_may_wake_and_park_that_cluster_only() -> None:
    given = [
        item.inputs["scope"]
        for item in fleet("test").all(ASSIGNMENT)
        if item.inputs["roleDefinitionId"].endswith(ROLES["powerOperator"])
        and item.inputs["principalId"] == "principal-of-test-kvm-identity"
    ]

    assert given == ["/ids/test-kvm-cluster"]


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (
            "power",
            [
                "Microsoft.Compute/virtualMachines/read",
                "Microsoft.Compute/virtualMachines/instanceView/read",
                "Microsoft.Compute/virtualMachines/start/action",
                "Microsoft.Compute/virtualMachines/deallocate/action",
                "Microsoft.ContainerService/managedClusters/read",
                "Microsoft.ContainerService/managedClusters/start/action",
                "Microsoft.ContainerService/managedClusters/stop/action",
            ],
        ),
        ("tagger", ["Microsoft.Resources/tags/read", "Microsoft.Resources/tags/write"]),
    ],
)
def test_the_roles_of_machines_and_workflows_allow_what_they_are_for_and_nothing_else(
    role: str, actions: list[str]
) -> None:
    found = fleet("hub").one("azure-native:authorization:RoleDefinition", f"hub-{role}-role").inputs

    assert found["permissions"] == [{"actions": actions}]


def test_secrets_that_others_fill_are_never_updated() -> None:
    filled = {
        item.name
        for stack in STACKS
        for item in fleet(stack).all("azure-native:keyvault:Secret")
        if list(item.ignore_changes) == ["properties", "tags"]
    }

    assert filled == {
        *(f"hub-kubevirt-gh-actions-runner-{number}-registration" for number in (1, 2, 3)),
        "dev-kubeconfig",
        "test-mshv-kubeconfig",
        "test-emulation-kubeconfig",
    }


def test_the_set_only_role_cannot_read_or_delete() -> None:
    role = fleet("hub").one("azure-native:authorization:RoleDefinition", "hub-publisher-role").inputs

    assert role["permissions"] == [
        {"actions": [], "dataActions": ["Microsoft.KeyVault/vaults/secrets/setSecret/action"]}
    ]
