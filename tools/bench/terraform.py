"""The same number of network interfaces in Terraform, with a mocked provider: no cloud on either side."""

import os
import shutil
import subprocess
import time

from tools.bench.figures import Figure, figure, itself, marginal_ms
from tools.bench.interfaces import FEW, MANY
from tools.bench.lab import Lab, Measure, MeasurementError, NotHereError

CONFIGURATION = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "number" { type = number }
resource "aws_network_interface" "bench" {
  count     = var.number
  subnet_id = "subnet-bench"
}
"""
TEST = """\
mock_provider "aws" {}
run "plan" {
  command = plan
  assert {
    condition     = length(aws_network_interface.bench) == var.number
    error_message = "not all interfaces are planned"
  }
}
"""
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "CHECKPOINT_DISABLE": "1"}


def measure(lab: Lab) -> list[Figure]:
    """Plans of the interfaces beside previews of them. Raises `NotHereError` where that cannot be had."""
    folder = lab.folder / "terraform"
    folder.mkdir()
    (folder / "main.tf").write_text(CONFIGURATION)
    (folder / "bench.tftest.hcl").write_text(TEST)
    command = shutil.which("terraform")
    if command is None:
        message = "terraform is not here: skipped"
        raise NotHereError(message)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words, environment = [command, *arguments, "-no-color"], {**os.environ, **NO_NETWORK}
        return subprocess.run(words, check=False, cwd=folder, env=environment, capture_output=True, text=True)

    def plan(count: int) -> Measure:
        def timed() -> float:
            started = time.perf_counter()
            done = run("test", f"-var=number={count}")
            if done.returncode:
                message = f"`terraform test` did not work: {(done.stdout + done.stderr).strip()[-500:]}"
                raise MeasurementError(message)
            return time.perf_counter() - started

        return timed

    if run("init", "-input=false").returncode:
        message = "terraform is here, its AWS provider cannot be had without a network: skipped"
        raise NotHereError(message)
    plan(1)()
    theirs = {f"terraform {count}": plan(count) for count in (FEW, MANY)}
    ours = {f"pulumi {count}": lab.program(f"interfaces-dropped-{count}") for count in (FEW, MANY)}
    found = lab.in_turn(theirs | ours)
    figures = []
    for words, unit, derive, counts in (
        (f"{MANY} interfaces", "s", itself, (MANY,)),
        ("one more interface", "ms", marginal_ms(FEW, MANY), (FEW, MANY)),
    ):
        their, our = ([found[f"{who} {count}"] for count in counts] for who in ("terraform", "pulumi"))
        peer = figure(("e", f"{words}, `terraform test` of a plan", unit), derive, *their)
        figures += [figure(("e", f"{words}, preview", unit), derive, *our, against=(peer, "Terraform")), peer]
    return figures
