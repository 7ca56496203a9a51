"""Imports what program, policies and rehearsal import, so that Python writes their byte code once.

Without it the first runs, and every run where PYTHONDONTWRITEBYTECODE is set, spend seconds compiling the provider
SDKs. Compiling whole packages instead would take minutes: only a few of their modules are used.
"""

import importlib
import sys

MODULES = (
    "components.ci_environment",
    "components.hub",
    "policies.registry",
    "virtci.cli.main",
    "virtci.cli.tables",
    "virtci.rehearsal.report",
    "virtci.rehearsal.world",
)


def main() -> None:
    """Imports everything, and wakes the SDK's modules, which load when an attribute is first read."""
    for name in MODULES:
        importlib.import_module(name)
    from virtci.rehearsal.azure.catalogue import warm_up

    warm_up()
    for name, module in list(sys.modules.items()):
        if name.startswith("pulumi_azure_native."):
            dir(module)


if __name__ == "__main__":
    main()
