"""Keeps previews fast: drops the aliases that the azure-native SDK puts on every resource.

Each typed resource carries an alias per API version that the provider ever had (9 to 113), and the engine resolves
every one of them: about 40 ms a resource. They matter only to states written by the SDK's older major versions,
which this project never had; a state written with them shows no change without them.
"""

import pulumi

PREFIX = "azure-native:"


def drop_version_aliases(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    """A transformation that removes the SDK's own aliases and keeps those that a component declares."""
    aliases = args.opts.aliases
    if not aliases or not args.type_.startswith(PREFIX):
        return None
    args.opts.aliases = [alias for alias in aliases if not is_version_alias(alias)]
    return pulumi.ResourceTransformationResult(args.props, args.opts)


def is_version_alias(alias: object) -> bool:
    """Whether an alias only names another type of the same provider, as the SDK's generated ones do."""
    type_ = getattr(alias, "type_", None)
    return isinstance(type_, str) and type_.startswith(PREFIX)
