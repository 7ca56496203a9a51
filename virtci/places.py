"""Where things are in a checkout."""

from pathlib import Path

from virtci.core.runners.naming import STACK

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / ".engine"
POLICIES = ROOT / "policies"
LEFT = ROOT / ".rehearsal"
"""What rehearsals leave: report, outputs, call log."""


def stack_file(stack: str) -> Path:
    """The file with the configuration of a stack."""
    return ROOT / f"Pulumi.{stack}.yaml"


def policy_configuration(stack: str) -> Path:
    """The file with the limits that the policies hold a stack against; machines of workflow runs share one."""
    return POLICIES / "config" / f"{'runner' if STACK.fullmatch(stack) else stack}.json"


def stacks() -> list[str]:
    """The stacks that have a file."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
