"""The vault: closed, recoverable, audited, and open to each identity for its own secret only."""

from tests.fleet import PUBLISHER, STACKS, fleet

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


def test_a_machine_may_set_its_own_kubeconfig_and_nothing_else_in_the_vault() -> None:
    grants = [
        item.inputs
        for item in fleet("dev").all(ASSIGNMENT)
        if item.inputs["principalId"] == "principal-of-dev-machine-identity"
    ]

    assert [grant["scope"] for grant in grants] == ["/ids/dev-kubeconfig"]
    assert grants[0]["roleDefinitionId"].endswith(f"/{PUBLISHER}")


def test_an_environment_may_read_its_own_kubeconfig_and_ssh_key_only() -> None:
    grants = [
        item.inputs
        for item in fleet("dev").all(ASSIGNMENT)
        if item.inputs["principalId"] == "principal-of-dev-identity"
    ]

    assert sorted(grant["scope"].rsplit("/", 1)[-1] for grant in grants) == [
        "dev-kubeconfig",
        "dev-machine-ssh-secret",
    ]
    assert all(grant["roleDefinitionId"].endswith(SECRETS_USER) for grant in grants)


def test_the_set_only_role_cannot_read_or_delete() -> None:
    role = fleet("hub").one("azure-native:authorization:RoleDefinition", "hub-publisher-role").inputs

    assert role["permissions"] == [
        {"actions": [], "dataActions": ["Microsoft.KeyVault/vaults/secrets/setSecret/action"]}
    ]
