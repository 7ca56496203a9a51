"""Kwok in the place of the kubelets of one cluster."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from virtci.rehearsal.kubernetes.processes import Household, Options, Running
from virtci.rehearsal.kubernetes.stages import KUBELET, Kind, Stage, by_kind
from virtci.rehearsal.programs import path_of

PODS = "10.42.0.0/16"
"""The range of pods of k3s."""
LOOK = 0.2
"""Seconds between two looks at whether a kind exists by now."""


@dataclass
class Kubelets:
    """Plays stages; those of kinds that do not exist yet from the moment on that they do."""

    household: Household
    folder: Path
    kubeconfig: Path
    client: Callable[[], httpx.Client]
    _playing: list[Running] = field(default_factory=list)
    _followers: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def play(self, probes: Mapping[str, str], stages: str = "") -> Running:
        """Plays these stages, and those played until now no more; returns who plays those of nodes and pods.

        What happened already stays: a pod that ended does not start again.
        """
        parts = by_kind(probes, stages)
        self.rest()
        running = self._start("kwok", [stage for kind in KUBELET for stage in parts.pop(kind)])
        self._playing.append(running)
        for number, (kind, those) in enumerate(parts.items()):
            arguments = (f"kwok-{number}", kind, those, self._stop)
            follower = threading.Thread(target=self._follow, args=arguments, daemon=True)
            follower.start()
            self._followers.append(follower)
        return running

    def rest(self) -> None:
        """Ends every kwok, and nothing starts one any more."""
        self._stop.set()
        for follower in self._followers:
            follower.join()
        for running in self._playing:
            running.stop()
        self._stop = threading.Event()
        self._followers.clear()
        self._playing.clear()

    def _follow(self, name: str, kind: Kind, stages: Sequence[Stage], stop: threading.Event) -> None:
        # Kwok ends when it does not know the kind of a stage.
        playing: Running | None = None
        with self.client() as client:
            while not stop.wait(LOOK):
                if (playing is None or playing.has_ended()) and _exists(client, kind):
                    playing = self._start(name, stages)
                    self._playing.append(playing)

    def _start(self, name: str, stages: Sequence[Stage]) -> Running:
        settings = self.folder / f"{name}.yaml"
        settings.write_text(yaml.safe_dump_all(stages))
        options: Options = {
            "kubeconfig": self.kubeconfig,
            "config": settings,
            "manage-all-nodes": "true",
            "cidr": PODS,
            # With leases, one that follows another waits until the leases of the first run out.
            "node-lease-duration-seconds": "0",
        }
        return self.household.start(f"{self.folder.name}-{name}", path_of("kwok"), options)


def _exists(client: httpx.Client, kind: Kind) -> bool:
    version, name = kind
    try:
        answer = client.get(f"/api/{version}" if version == "v1" else f"/apis/{version}")
    except httpx.TransportError:
        return False
    return answer.is_success and any(resource["kind"] == name for resource in answer.json()["resources"])
