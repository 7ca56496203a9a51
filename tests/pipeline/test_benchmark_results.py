"""Measurements of the benchmark as files, and their comparison with KVM."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from virtci.cli.main import main
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.fleet.benchmark_results import comparison, read_measurements, write_measurement
from virtci.monitoring.benchmark import Measurement

DEV, KVM, EMULATION = Environment.DEV, Environment.TEST_KVM, Environment.TEST_EMULATION


def measured(environment: Environment, hypervisor: Hypervisor, startup: float = 10, mib: float = 1000) -> Measurement:
    return Measurement(
        environment=environment, hypervisor=hypervisor, starts=30, startup_p95_seconds=startup, memory_bytes=mib * 2**20
    )


def all_measured(**changes: Any) -> dict[Environment, Measurement]:
    found = [
        measured(DEV, Hypervisor.MSHV, **{"startup": 12, "mib": 1020, **changes}),
        measured(KVM, Hypervisor.KVM),
        measured(EMULATION, Hypervisor.EMULATION, 90, 1400),
    ]
    return {item.environment: item for item in found}


def test_every_environment_has_a_line_beside_that_of_kvm() -> None:
    text, faults = comparison(all_measured(), 1.5)

    assert faults == []
    assert "| dev | mshv | 30 | 12.0 s | 1.20 | 1,020 MiB | +2.0% | within the limits |" in text
    assert "| test-kvm | kvm | 30 | 10.0 s | - | 1,000 MiB | - | baseline |" in text
    assert "| test-mshv | - | - | - | - | - | - | not measured |" in text


def test_limits_are_those_of_l1vh_and_of_nothing_else() -> None:
    text, _ = comparison(all_measured(), 1.5)

    assert "| test-emulation | emulation | 30 | 90.0 s | 9.00 | 1,400 MiB | +40.0% | not judged |" in text


def test_a_broken_limit_is_named() -> None:
    text, faults = comparison(all_measured(startup=16.0, mib=1060), 1.5)

    assert len(faults) == 2
    assert all(f"- {fault}" in text for fault in faults)
    assert "**breaks a limit**" in text


def test_without_a_limit_no_startup_is_too_slow() -> None:
    text, faults = comparison(all_measured(startup=900.0))

    assert faults == []
    assert "none for startup" in text


@pytest.mark.parametrize("baseline", [None, measured(KVM, Hypervisor.EMULATION)])
def test_without_kvm_there_is_nothing_to_compare_with(baseline: Measurement | None) -> None:
    found = {DEV: measured(DEV, Hypervisor.MSHV)} | ({KVM: baseline} if baseline else {})

    text, faults = comparison(found, 1.5)

    assert faults == []
    assert "| dev | mshv | 30 | 10.0 s | - | 1,000 MiB | - | no baseline |" in text
    assert ("| test-kvm | emulation |" in text) is (baseline is not None)


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Compares in a folder like that of the verdict."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    def run(*more: str, **changes: Any) -> int:
        for environment, item in all_measured(**changes).items():
            write_measurement(item, tmp_path / "results" / f"benchmark-{environment}")
        return main(["pipeline", "compare", "--results", str(tmp_path / "results"), *more])

    return run


@pytest.mark.parametrize(
    ("more", "startup", "code"),
    [
        ((), 99.0, 0),
        (("--startup-limit", "1.5"), 99.0, 0),
        (("--enforce",), 99.0, 0),
        (("--startup-limit", "1.5", "--enforce"), 99.0, 1),
        (("--startup-limit", "1.5", "--enforce"), 12.0, 0),
    ],
)
def test_a_broken_limit_is_red_only_where_that_was_asked_for(
    more: tuple[str, ...], startup: float, code: int, compare: Callable[..., int], tmp_path: Path
) -> None:
    assert compare(*more, startup=startup) == code
    assert "### Benchmark" in (tmp_path / "summary").read_text()


def test_no_measurement_at_all_is_not_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "compare", "--results", str(tmp_path), "--enforce"]) == 0
    assert capsys.readouterr().out.count("not measured") == len(Environment)


@pytest.mark.parametrize("text", ["", "{}", '{"environment": "dev"}'])
def test_a_file_that_is_no_measurement_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_text(text)

    with pytest.raises(Refusal, match=r"benchmark\.json is a measurement"):
        read_measurements(tmp_path)
