"""Built-in Azure roles by their official names."""

from virtci.core.tables import table


def role_definition_id(subscription: str, role: str) -> str:
    """The id of a built-in role. Raises `KeyError` for a role that `virtci/data/roles.json` does not have."""
    guid = table("roles")["roles"][role]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
