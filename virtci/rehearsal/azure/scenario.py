"""What a rehearsal assumes about the cloud before it starts."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PLACEHOLDER = "00000000-0000-0000-0000-0000000000"
DEPLOYER = f"{PLACEHOLDER}d0"


class Scenario(BaseModel):
    """The state of the subscription and of the world around it.

    A limit that is not named is not enforced: what cannot be known is never guessed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subscription: str = f"{PLACEHOLDER}01"
    tenant: str = f"{PLACEHOLDER}02"
    limits: Mapping[str, Mapping[str, Annotated[int, Field(ge=0)]]] = Field(
        default={}, description="vCPU limits by region, then by quota name: a family, `cores` or `lowPriorityCores`."
    )
    zones: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="Availability zones by region; a region that is not named has none."
    )
    images: frozenset[str] = Field(default=frozenset(), description="Ids of gallery images and image versions.")
    marketplace: frozenset[str] = Field(
        default=frozenset(), description="Marketplace images as `publisher:offer:sku[:version]`; `latest` fits any."
    )
    taken_names: frozenset[str] = Field(
        default=frozenset(), description="Global names that others own, as `Microsoft.KeyVault/vaults:<name>`."
    )
    soft_deleted: frozenset[str] = Field(default=frozenset(), description="Vault names that are soft-deleted.")
    principals: frozenset[str] = Field(default=frozenset(), description="Object ids that Entra knows for long.")
    resources: frozenset[str] = Field(
        default=frozenset(), description="Ids of resources that exist outside the project and may be referred to."
    )
    unregistered: frozenset[str] = Field(
        default=frozenset(), description="Resource providers that the subscription has not registered."
    )
    deployer: str = Field(default=DEPLOYER, description="The object id that the provider acts as.")
