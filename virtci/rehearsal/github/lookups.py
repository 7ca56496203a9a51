"""The functions of the GitHub provider that look something up."""

from collections.abc import Callable, Mapping

from virtci.rehearsal.bridge import Values
from virtci.rehearsal.github.client import Client
from virtci.rehearsal.journal import CloudError

# Output name -> property of the API's answer.
USER_OUTPUTS: Mapping[str, str] = {
    "avatarUrl": "avatar_url",
    "bio": "bio",
    "blog": "blog",
    "company": "company",
    "createdAt": "created_at",
    "email": "email",
    "followers": "followers",
    "following": "following",
    "gravatarId": "gravatar_id",
    "location": "location",
    "login": "login",
    "name": "name",
    "nodeId": "node_id",
    "publicGists": "public_gists",
    "publicRepos": "public_repos",
    "siteAdmin": "site_admin",
    "suspendedAt": "suspended_at",
    "updatedAt": "updated_at",
}
REPOSITORY_OUTPUTS: Mapping[str, str] = {
    "allowAutoMerge": "allow_auto_merge",
    "allowForking": "allow_forking",
    "allowMergeCommit": "allow_merge_commit",
    "allowRebaseMerge": "allow_rebase_merge",
    "allowSquashMerge": "allow_squash_merge",
    "allowUpdateBranch": "allow_update_branch",
    "archived": "archived",
    "defaultBranch": "default_branch",
    "deleteBranchOnMerge": "delete_branch_on_merge",
    "description": "description",
    "fork": "fork",
    "fullName": "full_name",
    "gitCloneUrl": "git_url",
    "hasDiscussions": "has_discussions",
    "hasDownloads": "has_downloads",
    "hasIssues": "has_issues",
    "hasProjects": "has_projects",
    "hasWiki": "has_wiki",
    "homepageUrl": "homepage",
    "htmlUrl": "html_url",
    "httpCloneUrl": "clone_url",
    "isTemplate": "is_template",
    "mergeCommitMessage": "merge_commit_message",
    "mergeCommitTitle": "merge_commit_title",
    "name": "name",
    "nodeId": "node_id",
    "primaryLanguage": "language",
    "private": "private",
    "repoId": "id",
    "squashMergeCommitMessage": "squash_merge_commit_message",
    "squashMergeCommitTitle": "squash_merge_commit_title",
    "sshCloneUrl": "ssh_url",
    "svnUrl": "svn_url",
    "topics": "topics",
    "visibility": "visibility",
}
TEAM_OUTPUTS: Mapping[str, str] = {
    "description": "description",
    "name": "name",
    "nodeId": "node_id",
    "notificationSetting": "notification_setting",
    "permission": "permission",
    "privacy": "privacy",
}
# What the simulated GitHub does not hold: people have no keys, teams no members, repositories no pages.
USER_EMPTY: Values = {"gpgKeys": [], "sshKeys": []}
REPOSITORY_EMPTY: Values = {"pages": [], "repositoryLicenses": [], "templates": []}
TEAM_EMPTY: Values = {"members": [], "repositories": [], "repositoriesDetaileds": []}


def get_user(client: Client, arguments: Values) -> Values:
    """A person."""
    _require(arguments, "username")
    live = client.call("GET", "users", arguments["username"])
    return {**_picked(live, USER_OUTPUTS), **USER_EMPTY, **arguments, "id": str(live["id"])}


def get_repository(client: Client, arguments: Values) -> Values:
    """A repository, by its name or by its full name."""
    owner, name = client.owner, arguments.get("name", "")
    if arguments.get("fullName"):
        owner, _, name = arguments["fullName"].partition("/")
    if not name or "/" in name:
        raise CloudError(400, "InvalidArgument", 'one of "fullName" or "name" has to be provided')
    live = client.call("GET", "repos", owner, name)
    return {**_picked(live, REPOSITORY_OUTPUTS), **REPOSITORY_EMPTY, "id": name}


def get_team(client: Client, arguments: Values) -> Values:
    """A team of the owner."""
    _require(arguments, "slug")
    live = client.call("GET", "orgs", client.owner, "teams", arguments["slug"])
    defaults = {"membershipType": "all", "resultsPerPage": 100, "summaryOnly": False}
    return {**_picked(live, TEAM_OUTPUTS), **TEAM_EMPTY, **defaults, **arguments, "id": str(live["id"])}


def _picked(live: Mapping[str, object], outputs: Mapping[str, str]) -> Values:
    return {name: live.get(source) for name, source in outputs.items()}


def _require(arguments: Values, name: str) -> None:
    if not arguments.get(name):
        raise CloudError(400, "InvalidArgument", f'Missing required argument: the argument "{name}" is required')


# Token -> the arguments that the function takes, and the function.
LOOKUPS: Mapping[str, tuple[frozenset[str], Callable[[Client, Values], Values]]] = {
    "github:index/getUser:getUser": (frozenset({"username"}), get_user),
    "github:index/getRepository:getRepository": (
        frozenset({"description", "fullName", "homepageUrl", "name"}),
        get_repository,
    ),
    "github:index/getTeam:getTeam": (
        frozenset({"membershipType", "resultsPerPage", "slug", "summaryOnly"}),
        get_team,
    ),
}
