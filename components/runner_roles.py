"""The custom roles of on-demand runners: what the launcher may do to a slot, and what the machine in it may.

Nobody here can assign roles, run commands on machines, or read the registration of another slot.

Action names: Azure resource provider operations (azure-docs, role-based-access-control/resource-provider-operations). A
snapshot of a disk and a disk of a snapshot ask for `disks/beginGetAccess` on their source (velero, Azure/OpenShift#186;
kubernetes#93020), a machine for `assign` on its identity and `join` on its subnet.
"""

from components.custom_role import CustomRole

LAUNCHER = CustomRole(
    name="virt-ci runner launcher",
    description="Makes and removes the machine of one slot, with its disk and interface.",
    actions=(
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/write",
        "Microsoft.Compute/virtualMachines/delete",
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/disks/write",
        "Microsoft.Compute/disks/delete",
        "Microsoft.Compute/disks/beginGetAccess/action",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkInterfaces/write",
        "Microsoft.Network/networkInterfaces/delete",
        "Microsoft.Network/networkInterfaces/join/action",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    ),
)
KEEPER = CustomRole(
    name="virt-ci runner keeper",
    description="Keeps snapshots of disks, makes disks of them, and removes them.",
    actions=(
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
        "Microsoft.Compute/snapshots/read",
        "Microsoft.Compute/snapshots/write",
        "Microsoft.Compute/snapshots/delete",
        "Microsoft.Compute/disks/beginGetAccess/action",
    ),
)
JOINER = CustomRole(
    name="virt-ci runner subnet joiner",
    description="Puts interfaces into a subnet.",
    actions=(
        "Microsoft.Network/virtualNetworks/subnets/read",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
    ),
)
REGISTRAR = CustomRole(
    name="virt-ci runner registrar",
    description="Sets the registration of a slot through Resource Manager, which never gives a value back.",
    actions=("Microsoft.KeyVault/vaults/secrets/read", "Microsoft.KeyVault/vaults/secrets/write"),
)
RECORDER = CustomRole(
    name="virt-ci runner recorder",
    description="Reads and writes the blobs of a container.",
    data_actions=(
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    ),
)
REGION_READER = CustomRole(
    name="virt-ci runner region reader",
    description="Reads what a region offers and how much of the quota is used.",
    actions=(
        "Microsoft.Compute/locations/usages/read",
        "Microsoft.Compute/locations/operations/read",
        "Microsoft.Compute/locations/diskOperations/read",
        "Microsoft.Compute/skus/read",
        "Microsoft.Network/locations/operations/read",
    ),
)
REGISTRATION = CustomRole(
    name="virt-ci runner registration",
    description="Reads a registration and overwrites it when it is used.",
    data_actions=(
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    ),
)
BOOT_TAGGER = CustomRole(
    name="virt-ci runner boot tagger",
    description="Reads and writes the tags of what is in a slot.",
    actions=("Microsoft.Resources/tags/read", "Microsoft.Resources/tags/write"),
)
ROLES = (LAUNCHER, KEEPER, JOINER, REGISTRAR, RECORDER, REGION_READER, REGISTRATION, BOOT_TAGGER)
