"""The benchmark in an environment: what starts, when it is measured, and that nothing stays."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.monitoring import LABELS, config_map, service
from virtci.cli.main import main
from virtci.core.cluster_objects import NAMESPACE, PROMETHEUS
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.fleet.benchmark import MACHINES, SETTLE_SECONDS, run_benchmark
from virtci.fleet.benchmark_results import read_measurements
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi, ClusterError
from virtci.fleet.waiting import Pace
from virtci.monitoring.benchmark import STARTS, Measurement, memory, starts
from virtci.monitoring.scrape import scrape_config
from virtci.rehearsal.kubernetes.scenario import cluster_of
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, clusters
from virtci.rehearsal.pipeline.virtual_machines import STAGES, define_virtual_machines

DEV, KVM = Environment.DEV, Environment.TEST_KVM
DISK = f"registry.example/cirros@sha256:{'0' * 64}"
MERGE = "application/merge-patch+json"
ROUND = ["deleted", *["created"] * STARTS]


def answered(query: str) -> dict[str, Any]:
    """What Prometheus answers when all machines started in 12.5 s and take 300 MiB."""
    value = "30" if query.startswith("sum(") else "12.5" if query.startswith("histogram") else str(300 * 2**20)
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]}]}}


@dataclass
class Clock:
    """Time that passes only when somebody waits."""

    moment: datetime = datetime(2026, 11, 21, 8, tzinfo=UTC)
    naps: list[float] = field(default_factory=list)
    real_seconds: float = 0.0

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.moment, self.sleep, 10)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.moment += timedelta(seconds=seconds)
        time.sleep(self.real_seconds)


class PlayedCluster(ClusterApi):
    """A cluster in which somebody plays KubeVirt and Prometheus."""

    def __init__(self, hypervisor: Hypervisor = Hypervisor.MSHV) -> None:
        self.prometheus: dict[str, Any] | None = configured(DEV, hypervisor)
        self.live: dict[str, dict[str, Any]] = {}
        self.events: list[str] = []
        self.queries: list[str] = []
        self.phase = "Running"
        self.stays = False
        self.refuses: ClusterError | None = None
        self.interrupted = False

    def get(self, *_: str) -> dict[str, Any] | None:
        return self.prometheus

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:  # noqa: ARG002  as the cluster's
        return f"/{kind}/{name}"

    def items(self, *_: str, **__: str) -> list[dict[str, Any]]:
        return list(self.live.values())

    def create(self, manifest: Mapping[str, Any], *_: Any) -> dict[str, Any]:
        if self.interrupted:
            raise KeyboardInterrupt
        self.events.append("created")
        status = {"phase": self.phase, "conditions": [{"message": "no node has the device"}]}
        self.live[manifest["metadata"]["name"]] = {**manifest, "status": status}
        return dict(manifest)

    def request(self, method: str, path: str, query: Mapping[str, str] | None = None, *_: Any) -> dict[str, Any]:
        assert query
        if method == "DELETE":
            assert query == {"labelSelector": "virt-ci.benchmark=true"}
            self.events.append("deleted")
            if not self.stays:
                self.live.clear()
            return {}
        assert path == "/Service/prometheus:9090/proxy/api/v1/query"
        if self.refuses:
            raise self.refuses
        self.queries.append(query["query"])
        return answered(query["query"])


def configured(environment: Environment, hypervisor: Hypervisor) -> dict[str, Any]:
    """The configuration of Prometheus as the stack of the cluster's contents leaves it."""
    return config_map(PROMETHEUS, {"prometheus.yml": scrape_config(environment, hypervisor)})


def run(cluster: PlayedCluster, clock: Clock | None = None) -> Measurement:
    return run_benchmark(cluster, DEV, DISK, (clock or Clock()).pace, lambda _: None)


def test_all_machines_start_twice_and_are_gone_in_the_end() -> None:
    cluster = PlayedCluster()

    found = run(cluster)

    assert cluster.events == [*ROUND, *ROUND, "deleted"]
    assert cluster.live == {}
    assert found == Measurement(
        environment=DEV, hypervisor=Hypervisor.MSHV, starts=30, startup_p95_seconds=12.5, memory_bytes=300 * 2**20
    )


def test_only_the_second_start_is_measured_when_guests_have_booted() -> None:
    cluster, clock = PlayedCluster(), Clock()

    run(cluster, clock)

    assert clock.naps[-1] == SETTLE_SECONDS
    assert cluster.queries[0] == starts(SETTLE_SECONDS)
    assert cluster.queries[2] == memory(NAMESPACE)


def test_what_an_earlier_benchmark_left_goes_first() -> None:
    cluster = PlayedCluster()
    cluster.live["benchmark-01"] = {}

    run(cluster)

    assert cluster.events[:2] == ["deleted", "created"]


def test_machines_run_on_what_the_stack_chose_not_on_what_was_declared() -> None:
    assert run(PlayedCluster(Hypervisor.KVM)).hypervisor is Hypervisor.KVM


def test_machines_that_do_not_run_are_named_and_deleted() -> None:
    cluster = PlayedCluster()
    cluster.phase = "Scheduling"

    with pytest.raises(Refusal, match="run within 10 minutes") as refused:
        run(cluster)

    assert refused.value.consequence == "30 do not, among them benchmark-01: Scheduling, no node has the device"
    assert cluster.live == {}


def test_machines_that_do_not_go_are_named() -> None:
    cluster = PlayedCluster()
    cluster.stays = True
    cluster.live["benchmark-01"] = {}

    with pytest.raises(Refusal, match="are gone within 10 minutes"):
        run(cluster)


def test_an_interrupted_benchmark_deletes_its_machines() -> None:
    cluster = PlayedCluster()
    cluster.interrupted = True

    with pytest.raises(KeyboardInterrupt):
        run(cluster)

    assert cluster.events[-1] == "deleted"


def test_a_prometheus_that_is_not_there_is_named_with_the_fix() -> None:
    cluster = PlayedCluster()
    cluster.refuses = ClusterError(404, "NotFound", 'services "prometheus" not found')

    with pytest.raises(Refusal, match="the Prometheus of dev answers") as refused:
        run(cluster)

    assert 'services "prometheus" not found' in refused.value.consequence
    assert "prometheusImage in Pulumi.dev-kubevirt.yaml" in refused.value.fix
    assert cluster.live == {}


@pytest.mark.parametrize(
    ("found", "said"), [(None, "is not known"), (configured(KVM, Hypervisor.KVM), "this cluster is test-kvm")]
)
def test_a_cluster_of_something_else_is_left_alone(found: dict[str, Any] | None, said: str) -> None:
    cluster = PlayedCluster()
    cluster.prometheus = found

    with pytest.raises(Refusal, match="is that of dev") as refused:
        run(cluster)

    assert said in refused.value.consequence
    assert cluster.events == []


@contextmanager
def standing_in(address: str) -> Iterator[tuple[int, list[str]]]:
    """An HTTP server with Prometheus' answers; yields its port and the queries that came."""
    queries: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            assert parts.path == "/api/v1/query"
            queries.append(parse_qs(parts.query)["query"][0])
            content = json.dumps(answered(queries[-1])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.server_port, queries
    finally:
        server.shutdown()
        server.server_close()


def own_address() -> str:
    """An address of this machine that is not loopback, which the API server leads nobody to; nothing without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return ""
        found = str(probe.getsockname()[0])
    return "" if found.startswith("127.") else found


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    found = cluster_of(DEV, "bench")
    wanted = Cluster("bench", found.nodes, found.probes, f"{found.stages}\n---\n{STAGES}")
    with clusters([wanted], tmp_path_factory.mktemp("cluster")) as planes:
        with kubernetes(planes["bench"].kubeconfig) as client:
            api = ClusterApi(client)
            define_virtual_machines(api)
            assert api.wait(lambda: is_served(api), 60)
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "test")
            api.apply(configured(DEV, Hypervisor.MSHV), "test")
        yield planes["bench"]


def is_served(api: ClusterApi) -> bool:
    """Whether machines can be made: for a moment after its definition, a kind is known and has no storage yet."""
    try:
        return api.items(*MACHINES) == []
    except ClusterError:
        return False


def reachable(api: ClusterApi, address: str, port: int) -> None:
    """The service of Prometheus leads to the stand-in: its pod says that it has this address."""
    ports = [{"name": "web", "containerPort": port, "protocol": "TCP"}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": PROMETHEUS, "namespace": NAMESPACE, "labels": LABELS},
        "spec": {
            "nodeName": api.items("v1", "Node")[0]["metadata"]["name"],
            "containers": [{"name": PROMETHEUS, "image": "example.org/prometheus", "ports": ports}],
        },
    }
    api.apply(service(), "test")
    api.create(pod, "test")
    assert api.wait(lambda: addresses(api) != [], 60)
    status = {"podIP": address, "podIPs": [{"ip": address}]}
    api.request("PATCH", f"{api.path_of(pod)}/status", body={"status": status}, content_type=MERGE)
    assert api.wait(lambda: addresses(api) == [address], 60)


def addresses(api: ClusterApi) -> list[str]:
    """Where the service of Prometheus leads."""
    found = api.get("v1", "Endpoints", NAMESPACE, PROMETHEUS) or {}
    return [item["ip"] for subset in found.get("subsets", ()) for item in subset.get("addresses", ())]


@pytest.mark.cluster
def test_the_command_measures_a_real_cluster_through_its_api_server(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = own_address()
    if not address:
        pytest.skip("this machine has no address but loopback, and the API server leads nobody there")
    monkeypatch.setattr("virtci.fleet.waiting.real_pace", lambda: Clock(real_seconds=0.1).pace)
    with standing_in(address) as (port, queries), kubernetes(plane.kubeconfig) as client:
        api = ClusterApi(client)
        reachable(api, address, port)

        code = benchmark(plane, tmp_path / "benchmark-dev")

        assert code == 0
        assert len(queries) == 3
        assert api.items(*MACHINES) == []
    found = read_measurements(tmp_path)[DEV]
    assert (found.hypervisor, found.starts, found.startup_p95_seconds) == (Hypervisor.MSHV, 30, 12.5)


@pytest.mark.cluster
def test_without_a_prometheus_nothing_is_kept_and_nothing_stays(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("virtci.fleet.waiting.real_pace", lambda: Clock(real_seconds=0.1).pace)
    with kubernetes(plane.kubeconfig) as client:
        api = ClusterApi(client)
        api.delete(service(), "Background")

        assert benchmark(plane, tmp_path / "benchmark-dev") == 3

        assert api.items(*MACHINES) == []
    assert "the Prometheus of dev answers through the API server" in capsys.readouterr().err
    assert read_measurements(tmp_path) == {}


def benchmark(plane: ControlPlane, folder: Path, disk: str = DISK) -> int:
    file = str(plane.kubeconfig_file)
    return main(["pipeline", "benchmark", "dev", "--kubeconfig", file, "--disk", disk, "--to", str(folder)])


def test_a_disk_without_its_digest_is_refused_before_anything_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pipeline", "benchmark", "dev", "--kubeconfig", "nowhere", "--disk", "cirros:latest", "--to", "nowhere"]

    assert main(command) == 3
    assert "an image with its digest" in capsys.readouterr().err
