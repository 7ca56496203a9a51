"""The runner agent in the simulated GitHub: which one it gives out, and when the versions end."""

from collections.abc import Mapping

from virtci.rehearsal.github import views
from virtci.rehearsal.github.contract import not_found
from virtci.rehearsal.github.exchange import Answer, Handler, Request
from virtci.rehearsal.github.store import World


def get_deprecation(world: World, request: Request) -> Answer:
    """When an agent of a version is no longer registered, and no longer gets jobs."""
    world.repository(request.path["owner"], request.path["repo"])
    version = request.path["version"]
    if version not in world.scenario.agents:
        raise not_found()
    known = world.scenario.agents[version]
    dates = {"registration_deprecates_at": known.registration, "runtime_deprecates_at": known.runtime}
    shown = {name: views.stamp(moment) for name, moment in dates.items() if moment}
    return Answer(200, {"runner_version": version, **shown})


def list_applications(world: World, request: Request) -> Answer:
    """The agent that GitHub gives out: the newest, with its checksum where the scenario knows it."""
    world.repository(request.path["owner"], request.path["repo"])
    version = max(world.scenario.agents, key=lambda text: tuple(map(int, text.split("."))))
    sha256 = world.scenario.agents[version].sha256
    return Answer(200, [_application(version, architecture, sha256) for architecture in ("x64", "arm64")])


def _application(version: str, architecture: str, sha256: str) -> dict[str, str]:
    filename = f"actions-runner-linux-{architecture}-{version}.tar.gz"
    url = f"https://github.com/actions/runner/releases/download/v{version}/{filename}"
    checksum = {"sha256_checksum": sha256} if sha256 and architecture == "x64" else {}
    return {"os": "linux", "architecture": architecture, "download_url": url, "filename": filename, **checksum}


OPERATIONS: Mapping[str, Handler] = {
    "actions/get-runner-deprecation-for-repo": get_deprecation,
    "actions/list-runner-applications-for-repo": list_applications,
}
