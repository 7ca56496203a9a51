"""What each operation of the simulated GitHub does to the world."""

from collections.abc import Mapping

from virtci.rehearsal.github import agents, discussions, rules, runners, views, workflow_runs
from virtci.rehearsal.github.contract import not_found, unprocessable
from virtci.rehearsal.github.exchange import Answer, Handler, Request, page
from virtci.rehearsal.github.store import Entry, Environment, Repository, World
from virtci.rehearsal.journal import CloudError

VARIABLES_PER_PAGE, MOST_VARIABLES_PER_PAGE = 10, 30


def _places(world: World, request: Request) -> tuple[Repository, Environment]:
    repository = world.repository(request.path["owner"], request.path["repo"])
    return repository, world.environment(repository, request.path["environment_name"])


def _environment(world: World, request: Request) -> Environment:
    return _places(world, request)[1]


def get_repository(world: World, request: Request) -> Answer:
    """A repository of the owner."""
    return Answer(200, views.repository(world, world.repository(request.path["owner"], request.path["repo"])))


def get_user(world: World, request: Request) -> Answer:
    """An account."""
    return Answer(200, views.user(world, world.user(request.path["username"])))


def get_team(world: World, request: Request) -> Answer:
    """A team of the owner."""
    return Answer(200, views.team(world, world.team(request.path["org"], request.path["team_slug"])))


def list_environments(world: World, request: Request) -> Answer:
    """The environments of a repository."""
    repository = world.repository(request.path["owner"], request.path["repo"])
    shown = [views.environment(world, repository, item) for item in world.environments_of(repository)]
    return Answer(200, {"total_count": len(shown), "environments": page(shown, request.query)})


def get_environment(world: World, request: Request) -> Answer:
    """One environment."""
    repository, environment = _places(world, request)
    return Answer(200, views.environment(world, repository, environment))


def put_environment(world: World, request: Request) -> Answer:
    """Creates an environment or replaces its whole protection."""
    repository = world.repository(request.path["owner"], request.path["repo"])
    name = request.path["environment_name"]
    rules.check_environment_name(name)
    protection = rules.protection(world, repository, request.body)
    environment = world.ensure(repository, name)
    environment.protection = protection
    environment.updated_at = world.clock.now
    if not protection.has_patterns:
        environment.patterns.clear()
    return Answer(200, views.environment(world, repository, environment))


def delete_environment(world: World, request: Request) -> Answer:
    """Deletes an environment with its secrets, variables and patterns."""
    repository, environment = _places(world, request)
    del world.environments[repository.id, environment.name.lower()]
    return Answer(204)


def list_patterns(world: World, request: Request) -> Answer:
    """The name patterns of an environment."""
    patterns = _environment(world, request).patterns.items()
    shown = [views.pattern(number, name, kind) for number, (name, kind) in patterns]
    return Answer(200, {"total_count": len(shown), "branch_policies": page(shown, request.query)})


def create_pattern(world: World, request: Request) -> Answer:
    """Adds a name pattern; one that exists already is answered with a redirection."""
    environment = _environment(world, request)
    if not environment.protection.has_patterns:
        raise not_found()
    pattern = (request.body["name"], request.body.get("type", "branch"))
    _check_pattern(pattern[0])
    if pattern in environment.patterns.values():
        raise CloudError(303, "SeeOther", "")
    number = world.next_id()
    environment.patterns[number] = pattern
    return Answer(200, views.pattern(number, *pattern))


def get_pattern(world: World, request: Request) -> Answer:
    """One name pattern."""
    number, pattern = _pattern(_environment(world, request), request)
    return Answer(200, views.pattern(number, *pattern))


def put_pattern(world: World, request: Request) -> Answer:
    """Renames a pattern; its type stays."""
    environment = _environment(world, request)
    number, (_, kind) = _pattern(environment, request)
    wanted = (request.body["name"], kind)
    _check_pattern(wanted[0])
    if any(other == wanted for key, other in environment.patterns.items() if key != number):
        raise unprocessable("The branch name pattern already exists.")
    environment.patterns[number] = wanted
    return Answer(200, views.pattern(number, *wanted))


def delete_pattern(world: World, request: Request) -> Answer:
    """Removes a pattern."""
    environment = _environment(world, request)
    del environment.patterns[_pattern(environment, request)[0]]
    return Answer(204)


def get_public_key(world: World, request: Request) -> Answer:
    """The key that seals secrets for an environment."""
    return Answer(200, views.public_key(_environment(world, request)))


def list_secrets(world: World, request: Request) -> Answer:
    """Names and times of secrets."""
    shown = [views.entry(item) for item in _environment(world, request).secrets.values()]
    return Answer(200, {"total_count": len(shown), "secrets": page(shown, request.query)})


def get_secret(world: World, request: Request) -> Answer:
    """Name and times of one secret; the service has no way to read a value."""
    return Answer(200, views.entry(_entry(_environment(world, request).secrets, request.path["secret_name"])))


def put_secret(world: World, request: Request) -> Answer:
    """Sets a secret from a sealed box."""
    environment = _environment(world, request)
    name = request.path["secret_name"].upper()
    rules.check_entry_name("Secret", name)
    rules.check_room("Secret", environment.secrets, name)
    rules.check_sealed(environment, request.body["key_id"], request.body["encrypted_value"])
    now = world.clock.now
    known = environment.secrets.get(name)
    environment.secrets[name] = Entry(name, known.created_at if known else now, now)
    return Answer(204) if known else Answer(201, {})


def delete_secret(world: World, request: Request) -> Answer:
    """Deletes a secret."""
    return _delete(_environment(world, request).secrets, request.path["secret_name"])


def list_variables(world: World, request: Request) -> Answer:
    """The variables of an environment or of a repository."""
    shown = [views.entry(item) for item in _variables(world, request).values()]
    part = page(shown, request.query, VARIABLES_PER_PAGE, MOST_VARIABLES_PER_PAGE)
    return Answer(200, {"total_count": len(shown), "variables": part})


def get_variable(world: World, request: Request) -> Answer:
    """One variable."""
    return Answer(200, views.entry(_entry(_variables(world, request), request.path["name"])))


def create_variable(world: World, request: Request) -> Answer:
    """Creates a variable; one that exists already is a conflict."""
    variables = _variables(world, request)
    name = request.body["name"].upper()
    _check_variable(request, variables, name, request.body["value"])
    if name in variables:
        raise CloudError(409, "Conflict", "Already exists - Variable already exists")
    now = world.clock.now
    variables[name] = Entry(name, now, now, request.body["value"])
    return Answer(201, {})


def update_variable(world: World, request: Request) -> Answer:
    """Changes the value or the name of a variable."""
    variables = _variables(world, request)
    known = _entry(variables, request.path["name"])
    name = request.body.get("name", known.name).upper()
    value = request.body.get("value", known.value)
    _check_variable(request, variables, name, value)
    if name != known.name and name in variables:
        raise CloudError(409, "Conflict", "Already exists - Variable already exists")
    del variables[known.name]
    variables[name] = Entry(name, known.created_at, world.clock.now, value)
    return Answer(204)


def delete_variable(world: World, request: Request) -> Answer:
    """Deletes a variable."""
    return _delete(_variables(world, request), request.path["name"])


def _check_pattern(name: str) -> None:
    if not name:
        raise unprocessable("Name can't be blank")


def _pattern(environment: Environment, request: Request) -> tuple[int, tuple[str, str]]:
    number = int(request.path["branch_policy_id"])
    if number not in environment.patterns:
        raise not_found()
    return number, environment.patterns[number]


def _variables(world: World, request: Request) -> dict[str, Entry]:
    """Those of the environment that the path names, or of the repository itself."""
    if _of_environment(request):
        return _environment(world, request).variables
    return world.variables_of(world.repository(request.path["owner"], request.path["repo"]))


def _of_environment(request: Request) -> bool:
    return "environment_name" in request.path


def _check_variable(request: Request, variables: Mapping[str, Entry], name: str, value: str) -> None:
    most = rules.MOST_ENTRIES if _of_environment(request) else rules.MOST_REPOSITORY_VARIABLES
    rules.check_entry_name("Variable", name)
    rules.check_room("Variable", variables, name, most)
    rules.check_size("Variable", value.encode())


def _entry(entries: Mapping[str, Entry], name: str) -> Entry:
    try:
        return entries[name.upper()]
    except KeyError as error:
        raise not_found() from error


def _delete(entries: dict[str, Entry], name: str) -> Answer:
    del entries[_entry(entries, name).name]
    return Answer(204)


OPERATIONS: Mapping[str, Handler] = {
    "repos/get": get_repository,
    "users/get-by-username": get_user,
    "teams/get-by-name": get_team,
    "repos/get-all-environments": list_environments,
    "repos/get-environment": get_environment,
    "repos/create-or-update-environment": put_environment,
    "repos/delete-an-environment": delete_environment,
    "repos/list-deployment-branch-policies": list_patterns,
    "repos/create-deployment-branch-policy": create_pattern,
    "repos/get-deployment-branch-policy": get_pattern,
    "repos/update-deployment-branch-policy": put_pattern,
    "repos/delete-deployment-branch-policy": delete_pattern,
    "actions/list-environment-secrets": list_secrets,
    "actions/get-environment-public-key": get_public_key,
    "actions/get-environment-secret": get_secret,
    "actions/create-or-update-environment-secret": put_secret,
    "actions/delete-environment-secret": delete_secret,
    "actions/list-environment-variables": list_variables,
    "actions/get-environment-variable": get_variable,
    "actions/create-environment-variable": create_variable,
    "actions/update-environment-variable": update_variable,
    "actions/delete-environment-variable": delete_variable,
    "actions/list-repo-variables": list_variables,
    "actions/get-repo-variable": get_variable,
    "actions/create-repo-variable": create_variable,
    "actions/update-repo-variable": update_variable,
    "actions/delete-repo-variable": delete_variable,
    **agents.OPERATIONS,
    **discussions.OPERATIONS,
    **runners.OPERATIONS,
    **workflow_runs.OPERATIONS,
}
