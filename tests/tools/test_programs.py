"""Bringing programs: pins agree, each way says why it failed, a missing program costs one line, nothing is repeated."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real_programs import run
from tools.engine import programs, setup
from tools.engine.programs import FOLDER, PROGRAMS, Program, main
from virtci.rehearsal.programs import CLUSTER, Missing, program

MODULES = sorted(path.parent for path in FOLDER.glob("*/go.mod"))
LOCKS = sorted(FOLDER.glob("*.lock.txt"))


def required(module: Path) -> set[tuple[str, str]]:
    """Modules and versions that a `go.mod` requires, after its replacements."""
    text = (module / "go.mod").read_text()
    replaced = dict(re.findall(r"^\t?(?:replace )?(\S+) => \S+ (v\S+)$", text, re.MULTILINE))
    wanted = re.findall(r"^(?:require |\t)(\S+) (v[^\s=]+)(?: // indirect)?$", text, re.MULTILINE)
    return {(path, replaced.get(path, version)) for path, version in wanted}


def installed(folder: Path, name: str, says: str) -> Path:
    """An installed program that says something of its version."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs go to a temporary folder, and PATH has only what a test puts into `path`."""
    engine = tmp_path / ".engine"
    engine.mkdir()
    monkeypatch.setattr(setup, "ENGINE", engine)
    monkeypatch.setattr(setup, "BIN", engine / "bin")
    monkeypatch.setattr(programs, "RECORD", engine / "programs.json")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "path").mkdir()
    return tmp_path


def record(elsewhere: Path, name: str) -> dict[str, str]:
    """What is written down about a program."""
    return dict(json.loads((elsewhere / ".engine/programs.json").read_text())[name])


def named(name: str) -> Program:
    return next(program for program in PROGRAMS if program.name == name)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_required_module_has_its_checksum(module: Path) -> None:
    sums = {tuple(line.split()[:2]) for line in (module / "go.sum").read_text().splitlines()}

    assert required(module)
    assert {(path, f"{version}/go.mod") for path, version in required(module)} <= sums


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_module_is_taken_from_a_folder(module: Path) -> None:
    targets = re.findall(r"=> (\S+)", (module / "go.mod").read_text())

    assert [target for target in targets if target.startswith((".", "/"))] == []


def test_all_of_kubernetes_has_one_version() -> None:
    text = (FOLDER / "kubernetes" / "go.mod").read_text()

    staged = set(re.findall(r"=> k8s.io/\S+ v0\.(\S+)", text))

    assert staged == {named("kube-apiserver").version.removeprefix("1.")}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_hashes(lock: Path) -> None:
    pins = re.split(r"\n(?=\S)", lock.read_text().strip())

    assert pins
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_table_has_each_program_once_and_all_of_a_cluster() -> None:
    names = [program.name for program in PROGRAMS]

    assert len(set(names)) == len(names)
    assert {*CLUSTER, "kubectl"} <= set(names)


BUILT = [program for program in PROGRAMS if program.package not in ("", ".")]


@pytest.mark.parametrize("program", BUILT, ids=lambda program: program.name)
def test_a_command_that_is_built_is_a_tool_of_its_module(program: Program) -> None:
    text = program.sources[0].read_text()

    assert re.search(rf"^(tool |\t){re.escape(program.package)}$", text, re.MULTILINE)


def test_the_release_of_prometheus_is_read_from_its_module() -> None:
    assert programs.prometheus_release("0.315.0") == "3.15.0"
    assert programs.prometheus_release("0.304.2") == "3.4.2"


@pytest.mark.parametrize(
    ("says", "is_it"),
    [
        ("v1.7.1", True),
        ("tool 1.7.1 linux", True),
        ("1.7.12", False),
        ("11.7.1", False),
        ("1.7.1.2", False),
        ("", False),
    ],
)
def test_a_version_is_recognized_whole(elsewhere: Path, says: str, is_it: bool) -> None:
    tool = installed(elsewhere / "path", "tool", says)

    assert replace(named("etcd"), version="1.7.1").is_of_version(tool) is is_it


def test_an_installed_program_of_the_pinned_version_is_used(elsewhere: Path) -> None:
    etcd = installed(elsewhere / "path", "etcd", f"etcd Version: {named('etcd').version}")

    assert main(["etcd"]) == 0

    assert (elsewhere / ".engine/bin/etcd").resolve() == etcd
    assert record(elsewhere, "etcd")["way"] == "on PATH"


def test_a_program_that_cannot_be_had_costs_one_line(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed(elsewhere / "path", "etcd", "etcd Version: 3.4.0")

    assert main(["etcd"]) == 0

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(
        r"  etcd is missing: on PATH: \S+/path/etcd has another version; a build from its Go module: `go` is not on PATH; "
        r"install Go [\d.]+ or newer\. Skipped without it: the rehearsal of Kubernetes\.",
        lines[0],
    )


def test_those_who_look_for_a_missing_program_read_the_reason(elsewhere: Path) -> None:
    main(["etcd"])

    found = program("etcd", elsewhere / ".engine")

    assert isinstance(found, Missing)
    assert str(found).startswith("etcd is missing: on PATH: not there; a build from its Go module: `go` is not on PATH")


def test_a_missing_program_is_an_error_where_it_is_required(elsewhere: Path) -> None:
    assert main(["--required", "etcd"]) == 1
    assert record(elsewhere, "etcd")["missing"]


def test_one_missing_program_does_not_stop_the_next(elsewhere: Path) -> None:
    installed(elsewhere / "path", "kwok", f"kwok version v{named('kwok').version}")

    main(["etcd", "kwok"])

    assert (elsewhere / ".engine/bin/kwok").exists()


def test_a_missing_program_is_looked_for_again(elsewhere: Path) -> None:
    main(["etcd"])
    installed(elsewhere / "path", "etcd", f"etcd Version: {named('etcd').version}")

    assert main(["--required", "etcd"]) == 0
    assert record(elsewhere, "etcd")["missing"] == ""


def test_what_is_there_costs_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    etcd = installed(elsewhere / "path", "etcd", f"etcd Version: {named('etcd').version}")
    main(["etcd"])
    etcd.write_text("#!/bin/sh\nexit 1\n")
    capsys.readouterr()

    assert main(["--required", "etcd"]) == 0
    assert capsys.readouterr().out == ""


def test_a_changed_pin_brings_the_program_anew(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = installed(elsewhere / "path", "etcd", f"etcd Version: {named('etcd').version}")
    main(["etcd"])
    monkeypatch.setattr(programs, "PROGRAMS", (replace(named("etcd"), version="9.9.9"),))

    assert main(["--required", "etcd"]) == 1

    assert not (elsewhere / ".engine/bin/etcd").exists()
    assert etcd.exists()


def test_a_program_that_stands_there_unrecorded_is_kept(elsewhere: Path) -> None:
    installed(elsewhere / ".engine/bin", "etcd", f"etcd Version: {named('etcd').version}")

    assert main(["--required", "etcd"]) == 0
    assert record(elsewhere, "etcd")["way"] == "it was there"


def test_a_build_that_fails_says_its_last_word(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = elsewhere / "path" / "go"
    go.write_text('#!/bin/sh\n[ "$1" = version ] && echo go1.99.0 && exit\necho first >&2\necho no route >&2\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setattr(programs, "BUILD_FREE_GIB", 0)
    (elsewhere / ".engine/go").mkdir()

    main(["etcd"])

    assert re.search(r"its Go module: the build failed \(.*\): no route$", record(elsewhere, "etcd")["missing"])
    assert (elsewhere / ".engine/go").exists(), "the next run continues with what was downloaded"


def test_go_runs_without_a_compiler_and_changes_no_pin(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOCACHE", "GOMODCACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOFLAGS", "-mod=mod")

    environment = programs.go_environment()

    assert environment["GOMODCACHE"] == str(elsewhere / ".engine/go/mod")
    assert environment["CGO_ENABLED"] == "0"
    assert "-mod=readonly" in environment["GOFLAGS"]


def test_folders_of_go_that_somebody_chose_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMODCACHE", "/kept")

    assert programs.go_environment()["GOMODCACHE"] == "/kept"


def test_a_machine_without_debian_says_so(elsewhere: Path) -> None:
    main(["cloud-init"])

    assert "`apt-get` and `dpkg` are not on PATH" in record(elsewhere, "cloud-init")["missing"]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["etc"])

    assert ended.value.code == 2
    assert "unknown: etc" in capsys.readouterr().err


@pytest.mark.program("label-filter")
@pytest.mark.parametrize("wrong", ["(a || b", "a &&", "/[/", "a b)"])
def test_a_label_filter_that_does_not_parse_is_refused_by_its_parser(wrong: str) -> None:
    judged = run("label-filter", wrong)

    assert judged.returncode == 1
    assert "Syntax Error Parsing Label Filter" in judged.stderr
    assert "\x1b" not in judged.stderr


@pytest.mark.program("label-filter")
def test_a_label_filter_shows_what_it_selects() -> None:
    sets = ("sig-compute,level: critical", "sig-compute,flaky", "")

    judged = run("label-filter", *(f"--labels={labels}" for labels in sets), "sig-compute && !flaky")

    assert judged.stdout.split() == ["true", "false", "false"]


@pytest.mark.program("label-filter")
def test_only_one_label_filter_is_judged() -> None:
    assert run("label-filter", "a", "b").returncode == 2


@pytest.mark.program("cloud-init")
@pytest.mark.parametrize(("packages", "code"), [("[qemu]", 0), ("3", 1)])
def test_cloud_init_judges_a_cloud_config(tmp_path: Path, packages: str, code: int) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"#cloud-config\npackages: {packages}\n")

    judged = run("cloud-init", "schema", "--config-file", str(config))

    assert judged.returncode == code, judged.stderr


@pytest.mark.program("shellcheck")
def test_shellcheck_finds_a_word_that_splits() -> None:
    judged = run("shellcheck", "-", text="#!/bin/sh\necho $1\n")

    assert judged.returncode == 1
    assert "SC2086" in judged.stdout
