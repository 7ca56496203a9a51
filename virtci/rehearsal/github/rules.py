"""The rules of GitHub that its OpenAPI description does not write down: limits, names, plans, sealed boxes."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import SealedBox

from virtci.rehearsal.github.contract import unprocessable
from virtci.rehearsal.github.store import Environment, Protection, Repository, World

LONGEST_WAIT = 43_200
MOST_REVIEWERS = 6
MOST_ENTRIES, MOST_REPOSITORY_VARIABLES = 100, 500
"""Of an environment, and of a repository (GitHub docs, Variables reference, limits, read 2026-11)."""
MOST_BYTES = 48 * 1024
LONGEST_NAME = 255
ENTRY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED_PREFIX = "GITHUB_"
PLAN = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the {rule} protection rule."
)


def check_environment_name(name: str) -> None:
    """Refuses names that are too long or cannot be shown."""
    if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise unprocessable("Environment name is invalid.")


def protection(world: World, repository: Repository, body: Mapping[str, Any]) -> Protection:
    """The protection that a PUT asks for; what the body leaves out goes back to the service's default."""
    bypass = body.get("can_admins_bypass")
    asked = Protection(
        wait_timer=_wait_timer(body.get("wait_timer", 0)),
        prevent_self_review=body.get("prevent_self_review") or False,
        reviewers=_reviewers(world, body.get("reviewers") or ()),
        branch_policy=_branch_policy(body.get("deployment_branch_policy")),
        can_admins_bypass=True if bypass is None else bypass,
    )
    if repository.visibility != "public":
        for used, rule in ((asked.reviewers, "required reviewers"), (asked.wait_timer, "wait timer")):
            if used:
                raise unprocessable(PLAN.format(rule=rule))
    return asked


def check_entry_name(kind: str, name: str) -> None:
    """Refuses names that a workflow could not use."""
    if not ENTRY_NAME.fullmatch(name):
        raise unprocessable(
            f"{kind} names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). "
            "Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_)."
        )
    if name.upper().startswith(RESERVED_PREFIX):
        raise unprocessable(f"{kind} names must not start with {RESERVED_PREFIX}.")


def check_room(kind: str, entries: Mapping[str, object], name: str, most: int = MOST_ENTRIES) -> None:
    """Refuses one secret or variable more than an environment, or a repository, holds."""
    if name not in entries and len(entries) >= most:
        raise unprocessable(f"{kind} limit reached: at most {most} are allowed.")


def check_size(kind: str, value: bytes) -> None:
    """Refuses a value that is too large."""
    if len(value) > MOST_BYTES:
        raise unprocessable(f"{kind} value is too large: at most {MOST_BYTES} bytes are allowed.")


def check_sealed(environment: Environment, key_id: str, sealed: str) -> None:
    """Proves with the private key that a value is a sealed box for it, looks at its size, and forgets it."""
    if key_id != environment.key_id:
        raise unprocessable("The key_id does not name this environment's current public key.")
    try:
        opened = SealedBox(environment.key).decrypt(base64.b64decode(sealed, validate=True))
    except (CryptoError, ValueError, binascii.Error):
        # The cause could carry the value, so it is cut off.
        raise unprocessable("The encrypted_value is not a sealed box for the given key_id.") from None
    check_size("Secret", opened)


def _wait_timer(minutes: int) -> int:
    if not 0 <= minutes <= LONGEST_WAIT:
        raise unprocessable(f"Wait timer must be between 0 and {LONGEST_WAIT} minutes.")
    return minutes


def _reviewers(world: World, asked: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    if len(asked) > MOST_REVIEWERS:
        raise unprocessable(f"An environment can have at most {MOST_REVIEWERS} reviewers.")
    known = {("User", item.id) for item in world.scenario.users} | {("Team", item.id) for item in world.scenario.teams}
    found = tuple(dict.fromkeys((str(item.get("type")), int(item.get("id", 0))) for item in asked))
    for kind, number in found:
        if (kind, number) not in known:
            raise unprocessable(f"Reviewer {kind} {number} does not exist or has no access to the repository.")
    return found


def _branch_policy(asked: Mapping[str, bool] | None) -> Mapping[str, bool] | None:
    if asked and asked["protected_branches"] == asked["custom_branch_policies"]:
        raise unprocessable(
            "The protected_branches and custom_branch_policies of a deployment_branch_policy cannot be the same."
        )
    return dict(asked) if asked else None
