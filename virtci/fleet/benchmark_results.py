"""Measurements of the benchmark: the file that jobs hand on, and their comparison with KVM for people."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from virtci.core.environments import ROWS, Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.fleet.markdown import table
from virtci.monitoring.benchmark import MEMORY_LIMIT, Comparison, Measurement, compare

FILE = "benchmark.json"
BASELINE = Environment.TEST_KVM
MEASUREMENT = TypeAdapter(Measurement)
COLUMNS = ("environment", "hypervisor", "#starts", "#startup, p95", "#of KVM", "#memory", "#to KVM", "judgement")


def write_measurement(found: Measurement, folder: Path) -> None:
    """Keeps a measurement in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(MEASUREMENT.dump_json(found, indent=2) + b"\n")


def read_measurements(folder: Path) -> dict[Environment, Measurement]:
    """The measurements in a folder and the folders in it. Raises `Refusal` for a file that is none."""
    found = {}
    for file in sorted(folder.rglob(FILE)):
        try:
            item = MEASUREMENT.validate_json(file.read_bytes())
        except ValidationError as error:
            raise Refusal(
                f"{file} is a measurement of the benchmark: {error.error_count()} faults",
                "it cannot be compared",
                "run all jobs of the pipeline again, not only the failed ones",
            ) from None
        found[item.environment] = item
    return found


def comparison(measured: Mapping[Environment, Measurement], startup_limit: float = math.inf) -> tuple[str, list[str]]:
    """The comparison with KVM as Markdown, and what breaks a limit of the plan, which are limits of L1VH alone.

    `startup_limit`: as in `compare`; with infinity, memory alone is judged.
    """
    baseline = measured.get(BASELINE)
    if baseline and baseline.hypervisor is not Hypervisor.KVM:
        baseline = None
    faults: list[str] = []
    rows: list[Sequence[str]] = []
    for environment in ROWS:
        found = measured.get(environment)
        if found is None:
            rows.append((environment.value, *["-"] * (len(COLUMNS) - 2), "not measured"))
            continue
        compared = compare(baseline, found, startup_limit) if baseline and found is not baseline else None
        if compared and found.hypervisor is Hypervisor.MSHV:
            faults += compared.faults
        rows.append(_row(found, compared, "baseline" if found is baseline else "no baseline"))
    limits = f"Limits of L1VH: memory less than {MEMORY_LIMIT:.0%} above KVM; "
    limits += f"startup at most {startup_limit:g} times." if math.isfinite(startup_limit) else "none for startup."
    parts = ["### Benchmark", table(COLUMNS, rows), limits, *(f"- {fault}" for fault in faults)]
    return "\n\n".join(parts), faults


def _row(found: Measurement, compared: Comparison | None, otherwise: str) -> Sequence[str]:
    ratio, overhead, judgement = "-", "-", otherwise
    if compared:
        ratio, overhead = f"{compared.startup_ratio:.2f}", f"{compared.memory_overhead:+.1%}"
        judgement = "within the limits" if compared.passed else "**breaks a limit**"
        if found.hypervisor is not Hypervisor.MSHV:
            judgement = "not judged"
    return (
        found.environment.value,
        found.hypervisor.value,
        f"{found.starts:.0f}",
        f"{found.startup_p95_seconds:.1f} s",
        ratio,
        f"{found.memory_bytes / 2**20:,.0f} MiB",
        overhead,
        judgement,
    )
