"""Self-hosted runners of the simulated GitHub: what its REST API says of them, and what their agents do.

Rules: GitHub's REST reference (a registration token lives an hour and serves more than once; a busy runner is not
removed; a just-in-time configuration makes the record of a runner that takes one job), "Removing self-hosted runners"
(records of agents that stay away go after 14 days, of ephemeral ones after one), and GitHub's version enforcement for
agents (virtci.core.runner_agent).
"""

import base64
import json
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
AWAY, AWAY_EPHEMERAL = timedelta(days=14), timedelta(days=1)
"""How long GitHub keeps the record of an agent that does not come back."""
DEFAULT_GROUP = 1
"""The only runner group of a repository."""
DEFAULT_LABELS = ("self-hosted", "Linux", "X64")
"""What an agent adds to the labels that it is given."""


def create_token(world: World, request: Request) -> Answer:
    """A token that registers runners for an hour."""
    repository = _repository(world, request)
    token, expires = f"A{secrets.token_hex(14).upper()}", world.clock.now + TOKEN_LIFETIME
    world.registrations[token] = (repository.id, expires)
    return Answer(201, {"token": token, "expires_at": views.stamp(expires)})


def create_configuration(world: World, request: Request) -> Answer:
    """The record of a runner that takes one job, and what its agent needs. Asking twice is a conflict."""
    repository, name = _repository(world, request), request.body["name"]
    if request.body["runner_group_id"] != DEFAULT_GROUP:
        raise not_found()
    if (repository.id, name) in world.runners:
        raise CloudError(409, "Conflict", f"Already exists - A runner with the name {name} already exists.")
    labels = tuple(dict.fromkeys(label.lower() for label in request.body["labels"]))
    made = Runner(world.next_id(), name, labels, "", _random(256), world.clock.now, ephemeral=True)
    world.runners[repository.id, name] = made
    place = f"{world.scenario.owner.login}/{repository.name}"
    return Answer(201, {"runner": _runner(made), "encoded_jit_config": _configuration(made, place)})


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
    "actions/generate-runner-jitconfig-for-repo": create_configuration,
    "actions/list-self-hosted-runners-for-repo": list_runners,
    "actions/get-self-hosted-runner-for-repo": get_runner,
    "actions/delete-self-hosted-runner-from-repo": delete_runner,
}


def enrol(
    world: World,
    token: str,
    place: str,
    name: str,
    labels: Sequence[str],
    version: str,
    replace: bool,
    default_labels: bool = True,
) -> Runner:
    """Registers an agent with a repository, which is named as `owner/name`; one that is replaced keeps its id."""
    owner, _, repository = place.partition("/")
    known = world.repository(owner, repository)
    scope, expires = world.registrations.get(token, (0, world.clock.now))
    if scope != known.id or world.clock.now >= expires:
        raise not_found()
    _admit(version)
    before = world.runners.get((known.id, name))
    if before and not replace:
        raise CloudError(409, "Conflict", f"A runner exists with the same name {name}.")
    number = before.id if before else world.next_id()
    own = (*(DEFAULT_LABELS if default_labels else ()), *labels)
    made = Runner(number, name, own, version, secrets.token_hex(20), world.clock.now)
    world.runners[known.id, name] = made
    return made


def connect(world: World, credential: str, version: str = "") -> Runner:
    """An agent comes online with its own credential; one with a just-in-time configuration tells its version here."""
    runner = holder(world, credential)
    if version:
        _admit(version)
        runner.version = version
    runner.online, runner.seen = True, world.clock.now
    return runner


def disconnect(world: World, credential: str) -> Runner:
    """An agent says that it ends. One that is cut off says nothing; GitHub misses it after a while."""
    runner = holder(world, credential)
    runner.online, runner.seen = False, world.clock.now
    return runner


def holder(world: World, credential: str) -> Runner:
    """The runner whose agent has that credential."""
    for runner in world.runners.values():
        if secrets.compare_digest(runner.credential, credential):
            return runner
    raise CloudError(404, "NotFound", "The runner registration has been deleted from the server, please re-configure.")


def _admit(version: str) -> None:
    try:
        require_agent(version)
    except Refusal as refusal:
        raise CloudError(403, "Forbidden", f"Runner version v{version} is deprecated: {refusal.rule}.") from None


def _configuration(runner: Runner, place: str) -> str:
    """The files of a registered agent, encoded as its `--jitconfig` takes them: no real key, but as large as GitHub's.

    That is more than 4 KB since June 2025 (github-aws-runners/terraform-aws-github-runner#4613).
    """
    settings = {
        "agentId": runner.id,
        "agentName": runner.name,
        "poolId": DEFAULT_GROUP,
        "poolName": "Default",
        "ephemeral": True,
        "serverUrl": f"https://pipelinesghubeus1.actions.githubusercontent.com/{secrets.token_urlsafe(37)}/",
        "serverUrlV2": "https://broker.actions.githubusercontent.com/",
        "useV2Flow": True,
        "gitHubUrl": f"{views.SITE}/{place}",
        "workFolder": "_work",
    }
    login = {
        "clientId": secrets.token_hex(18),
        "authorizationUrl": f"https://vstoken.actions.githubusercontent.com/_apis/oauth2/token/{secrets.token_hex(18)}",
        "requireFipsCryptography": "True",
    }
    key = {"d": runner.credential, "exponent": "AQAB", "modulus": _random(256)}
    key |= {name: _random(128) for name in ("dp", "dq", "inverseQ", "p", "q")}
    files = {".runner": settings, ".credentials": {"scheme": "OAuth", "data": login}, ".credentials_rsaparams": key}
    packed = {name: base64.b64encode(json.dumps(content).encode()).decode() for name, content in files.items()}
    return base64.b64encode(json.dumps(packed).encode()).decode()


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()


def _repository(world: World, request: Request) -> Repository:
    _forget_absent(world)
    return world.repository(request.path["owner"], request.path["repo"])


def _forget_absent(world: World) -> None:
    for key, runner in tuple(world.runners.items()):
        if not runner.online and world.clock.now - runner.seen >= (AWAY_EPHEMERAL if runner.ephemeral else AWAY):
            del world.runners[key]


def _found(world: World, request: Request) -> tuple[tuple[int, str], Runner]:
    repository, number = _repository(world, request), int(request.path["runner_id"])
    for key, runner in world.runners.items():
        if key[0] == repository.id and runner.id == number:
            return key, runner
    raise not_found()


def _runner(item: Runner) -> dict[str, Any]:
    own = {label.lower() for label in DEFAULT_LABELS}
    return {
        "id": item.id,
        "name": item.name,
        "os": "Linux" if item.version else "unknown",
        "status": "online" if item.online else "offline",
        "busy": item.busy,
        "ephemeral": item.ephemeral,
        "version": item.version or None,
        "labels": [{"name": name, "type": "read-only" if name.lower() in own else "custom"} for name in item.labels],
    }
