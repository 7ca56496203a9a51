"""KubeVirt's Makefile for a rehearsal: builds that push real manifests, and a suite that ginkgo's own parser selects from.

Every target checks what the real one needs and refuses what that would refuse. `SCENARIO` names a JSON file
(`Scenario`) that says what goes wrong. Sources: kubevirt/kubevirt d923fdb815 (2026-08-22): Makefile, hack/functests.sh, hack/cluster-deploy.sh;
kubevirt/kubevirtci 39bd4947 (2026-08-07): cluster-up/cluster/external/provider.sh.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite
from pydantic import BaseModel, ConfigDict

from virtci.core.manifests import OPERATED
from virtci.places import ENGINE

REPORT = "junit.functest.xml"
RELEASE = Path(__file__).parents[1] / "kubernetes" / "release" / "kubevirt-operator.yaml"
"""The manifest that the build makes, with other images and another version."""
PUSHED = (*OPERATED, "virt-exportproxy", "virt-exportserver", "cirros-container-disk-demo")
FILTER = "--label-filter="


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """One test of the suite."""

    name: str
    labels: tuple[str, ...]


SUITE = (
    SuiteTest("[sig-compute] L1VH should start a virtual machine on MSHV", ("sig-compute", "l1hv-new", "mshv")),
    SuiteTest("[sig-compute] L1VH should report the hypervisor of a node", ("sig-compute", "l1hv-new")),
    SuiteTest("[sig-compute] Lifecycle should restart a virtual machine", ("sig-compute",)),
    SuiteTest("[sig-compute] Migration should move a virtual machine", ("sig-compute", "sig-compute-migrations")),
    SuiteTest("[sig-network] Services should reach a virtual machine", ("sig-network",)),
    SuiteTest("[sig-storage] DataVolumes should be imported", ("sig-storage",)),
    SuiteTest("[sig-compute] GPU should be passed through", ("sig-compute", "GPU")),
)


class Scenario(BaseModel):
    """What goes wrong in a rehearsal; by default nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    red: tuple[str, ...] = ()
    """Environments in which the first selected test fails."""
    empty: tuple[str, ...] = ()
    """Environments whose suite leaves a report without a single test."""
    broken: tuple[str, ...] = ()
    """Targets that fail at once, for example `lint` or `bazel-push-images`."""
    slow: Mapping[str, float] = {}
    """Seconds that the suite of an environment takes."""


def format_(_: Scenario) -> None:
    """`make format` leaves the sources as they are: they are well formed."""


def lint(_: Scenario) -> None:
    """`make lint`."""
    _say("0 issues.")


def unit_tests(_: Scenario) -> None:
    """`make test` writes a JUnit file of its own."""
    suite = TestSuite("unit")
    suite.add_testcase(TestCase("TestHypervisors"))
    _write(suite, "junit.unittests.xml")


def build_images(_: Scenario) -> None:
    """`make bazel-build-images` needs to know for which registry and tag."""
    _say(f"built {len(PUSHED)} images for {_needed('DOCKER_PREFIX')}:{_needed('DOCKER_TAG')}")


def push_images(_: Scenario) -> None:
    """`make bazel-push-images` pushes with the login of the docker client."""
    prefix, tag = _needed("DOCKER_PREFIX"), _needed("DOCKER_TAG")
    host, path = prefix.split("/", 1)
    logins = json.loads(Path(_needed("DOCKER_CONFIG"), "config.json").read_text())["auths"]
    headers = {"Authorization": f"Basic {logins[host]['auth']}", "Content-Type": "application/json"}
    for image in PUSHED:
        manifest = {"schemaVersion": 2, "image": image, "build": os.urandom(8).hex()}
        url = f"http://{host}/v2/{path}/{image}/manifests/{tag}"
        httpx.put(url, content=json.dumps(manifest), headers=headers).raise_for_status()
    _say(f"pushed {len(PUSHED)} images to {prefix}:{tag}")


def manifests(_: Scenario) -> None:
    """`make manifests`: images by tag, because the build did not keep the digests of what it pushed."""
    prefix, tag = _needed("DOCKER_PREFIX"), _needed("DOCKER_TAG")
    text = re.sub(r"\S+/(virt-\w+)@sha256:[0-9a-f]{64}", rf"{prefix}/\1:{tag}", RELEASE.read_text())
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        _set_version(document, tag)
    target = Path("_out/manifests/release/kubevirt-operator.yaml")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump_all(documents, sort_keys=False))


def cluster_up(_: Scenario) -> None:
    """`make cluster-up` of the external provider: the cluster answers, and its settings are written down."""
    if _needed("KUBEVIRT_PROVIDER") != "external":
        sys.exit("only the external provider brings no cluster of its own")
    kubeconfig = yaml.safe_load(Path(_needed("KUBECONFIG")).read_text())
    if not kubeconfig.get("clusters"):
        sys.exit("error: no configuration has been provided")
    lines = (
        f"docker_tag={_needed('DOCKER_TAG')}",
        f"docker_prefix={_needed('DOCKER_PREFIX')}",
        "image_pull_policy=Always",
    )
    target = Path("_ci-configs/external/config-provider-external.sh")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n")


def functest(scenario: Scenario) -> None:
    """`make functest`: what the filter selects, and a case in the report for what it leaves out."""
    if not Path("_ci-configs/external/config-provider-external.sh").exists():
        sys.exit("hack/config.sh: config-provider-external.sh: No such file or directory")
    environment = _needed("ENVIRONMENT")
    given = _needed("FUNC_TEST_LABEL_FILTER")
    if not re.fullmatch(r"\d+[smh]", _needed("KUBEVIRT_FUNC_TEST_GINKGO_TIMEOUT")):
        sys.exit("invalid argument for --timeout")
    if not given.startswith(FILTER):
        sys.exit(f"flag provided but not defined: {given}")
    chosen = _selected(given.removeprefix(FILTER))
    _say(f"Will run {len(chosen)} of {len(SUITE)} specs")
    time.sleep(scenario.slow.get(environment, 0))
    red = next(iter(chosen), "") if environment in scenario.red else ""
    if environment in scenario.empty:
        chosen = []
    _write(_report(chosen, red), REPORT)
    if red:
        sys.exit(f"• [FAILED] {red}")


def _selected(text: str) -> list[str]:
    """The tests of the suite that the filter selects; ginkgo's own parser decides."""
    labels = [argument for test in SUITE for argument in ("--labels", ",".join(test.labels))]
    done = subprocess.run(
        [str(ENGINE / "bin" / "label-filter"), *labels, text], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return [test.name for test, chosen in zip(SUITE, done.stdout.split(), strict=True) if chosen == "true"]


def _report(chosen: list[str], red: str) -> TestSuite:
    suite = TestSuite("Tests Suite")
    suite.add_testcase(TestCase("[SynchronizedBeforeSuite]", time=1.5))
    for test in SUITE:
        case = TestCase(f"[It] {test.name} [{', '.join(test.labels)}]", time=2.0 if test.name in chosen else 0.0)
        if test.name not in chosen:
            case.result = [Skipped("skipped")]
        elif test.name == red:
            case.result = [Failure("Timed out after 360.000s. Expected the machine to be Running", "failed")]
        suite.add_testcase(case)
    suite.add_testcase(TestCase("[ReportAfterSuite] k8s reporter", time=0.1))
    return suite


def _write(suite: TestSuite, name: str) -> None:
    target = Path(os.environ.get("ARTIFACTS", "_out/artifacts"))
    target.mkdir(parents=True, exist_ok=True)
    report = JUnitXml()
    report.add_testsuite(suite)
    report.write(str(target / name))


def _set_version(document: dict[str, Any], version: str) -> None:
    if document.get("kind") != "Deployment":
        return
    for container in document["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env", ()):
            if variable["name"] == "KUBEVIRT_VERSION":
                variable["value"] = version


def _needed(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"{name}: unbound variable")
    return value


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


TARGETS: dict[str, Callable[[Scenario], None]] = {
    "format": format_,
    "lint": lint,
    "test": unit_tests,
    "bazel-build-images": build_images,
    "bazel-push-images": push_images,
    "manifests": manifests,
    "cluster-up": cluster_up,
    "functest": functest,
}


def main(target: str) -> None:
    """Runs one target."""
    scenario = Scenario.model_validate_json(Path(_needed("SCENARIO")).read_bytes())
    if target in scenario.broken:
        sys.exit(f"make: *** [{target}] Error 1")
    TARGETS[target](scenario)


if __name__ == "__main__":
    main(sys.argv[1])
