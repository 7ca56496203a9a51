"""Self-hosted runners of the simulated GitHub: what its REST API says of them, and what their agents do.

Rules: GitHub's REST reference (a registration token lives an hour and serves more than once; a busy runner is not
removed), and its version enforcement for agents (virtci.core.runner_agent).
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from virtci.core.problems import Refusal
from virtci.core.runner_agent import require_agent
from virtci.rehearsal.github import views
from virtci.rehearsal.github.contract import not_found, unprocessable
from virtci.rehearsal.github.exchange import Answer, Handler, Request, page
from virtci.rehearsal.github.store import Repository, Runner, World
from virtci.rehearsal.journal import CloudError

TOKEN_LIFETIME = timedelta(hours=1)
DEFAULT_LABELS = ("self-hosted", "Linux", "X64")
"""What an agent adds to the labels that it is given."""


def create_token(world: World, request: Request) -> Answer:
    """A token that registers runners for an hour."""
    repository = _repository(world, request)
    token, expires = f"A{secrets.token_hex(14).upper()}", world.clock.now + TOKEN_LIFETIME
    world.registrations[token] = (repository.id, expires)
    return Answer(201, {"token": token, "expires_at": views.stamp(expires)})


def list_runners(world: World, request: Request) -> Answer:
    """The runners of a repository, all of them or those of one name."""
    repository = _repository(world, request)
    name = request.query.get("name")
    found = [item for (owner, _), item in world.runners.items() if owner == repository.id and name in (None, item.name)]
    return Answer(200, {"total_count": len(found), "runners": page([_runner(item) for item in found], request.query)})


def get_runner(world: World, request: Request) -> Answer:
    """One runner."""
    return Answer(200, _runner(_found(world, request)[1]))


def delete_runner(world: World, request: Request) -> Answer:
    """Removes a runner, unless it runs a job."""
    key, runner = _found(world, request)
    if runner.busy:
        raise unprocessable(f"Runner {runner.name} is currently running a job and cannot be deleted.")
    del world.runners[key]
    return Answer(204)


OPERATIONS: Mapping[str, Handler] = {
    "actions/create-registration-token-for-repo": create_token,
    "actions/list-self-hosted-runners-for-repo": list_runners,
    "actions/get-self-hosted-runner-for-repo": get_runner,
    "actions/delete-self-hosted-runner-from-repo": delete_runner,
}


# --- what agents do; GitHub describes none of it ---


def enrol(
    world: World, token: str, place: str, name: str, labels: Sequence[str], version: str, replace: bool
) -> Runner:
    """Registers an agent with a repository, which is named as `owner/name`; one that is replaced keeps its id."""
    owner, _, repository = place.partition("/")
    known = world.repository(owner, repository)
    scope, expires = world.registrations.get(token, (0, world.clock.now))
    if scope != known.id or world.clock.now >= expires:
        raise not_found()
    try:
        require_agent(version)
    except Refusal as refusal:
        raise CloudError(403, "Forbidden", f"Runner version v{version} is deprecated: {refusal.rule}.") from None
    before = world.runners.get((known.id, name))
    if before and not replace:
        raise CloudError(409, "Conflict", f"A runner exists with the same name {name}.")
    number = before.id if before else world.next_id()
    made = Runner(number, name, (*DEFAULT_LABELS, *labels), version, secrets.token_hex(20))
    world.runners[known.id, name] = made
    return made


def connect(world: World, credential: str) -> Runner:
    """An agent comes online with its own credential."""
    for runner in world.runners.values():
        if secrets.compare_digest(runner.credential, credential):
            runner.online = True
            return runner
    raise CloudError(404, "NotFound", "The runner registration has been deleted from the server, please re-configure.")


def _repository(world: World, request: Request) -> Repository:
    return world.repository(request.path["owner"], request.path["repo"])


def _found(world: World, request: Request) -> tuple[tuple[int, str], Runner]:
    repository, number = _repository(world, request), int(request.path["runner_id"])
    for key, runner in world.runners.items():
        if key[0] == repository.id and runner.id == number:
            return key, runner
    raise not_found()


def _runner(item: Runner) -> dict[str, Any]:
    own = dict.fromkeys(DEFAULT_LABELS, "read-only")
    return {
        "id": item.id,
        "name": item.name,
        "os": "Linux",
        "status": "online" if item.online else "offline",
        "busy": item.busy,
        "version": item.version,
        "labels": [{"name": label, "type": own.get(label, "custom")} for label in item.labels],
    }
