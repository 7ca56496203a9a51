"""Stand-in for k3s: a server that takes its real configuration file, and `k3s kubectl`.

The server judges its configuration, listens on its address and writes its kubeconfig. `kubectl` is the real one where
the sandbox has a real control plane; otherwise it is answered here, strictly: what the boot scripts do not use is
refused. Objects outlive a reboot.
"""

import argparse
import base64
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/rancher/k3s/config.yaml")
KUBECONFIG = Path("/etc/rancher/k3s/k3s.yaml")
OBJECTS = Path("/var/lib/rancher/k3s/server/objects.json")
FAULTS = Path("/sandbox/k3s-faults.json")
REAL = Path("/sandbox/control-plane.yaml")
KUBECTL = "/sandbox/kubectl"
PORT = 6443
WORDS = {
    "write-kubeconfig-mode": r"0[0-7]{3}", "bind-address": r"[0-9.]+", "advertise-address": r"[0-9.]+",
    "node-ip": r"[0-9.]+", "secrets-encryption": r"true|false", "cluster-cidr": r"[0-9.]+/\d+",
    "service-cidr": r"[0-9.]+/\d+",
}  # fmt: skip
LISTS = {"tls-san": r"[\w.-]+", "disable": r"traefik|servicelb|local-storage|metrics-server|coredns"}
Object = dict[str, Any]


def main(arguments: list[str]) -> int:
    """One command line."""
    if arguments == ["server"]:
        return server()
    if arguments[:1] == ["kubectl"]:
        return kubectl(arguments[1:])
    return _refuse(f"the stand-in does not know: k3s {arguments}")


def server() -> int:
    """Starts as its configuration says, tells systemd, and stays."""
    if _fault("starts", True) is False:
        return _refuse("fatal: the stand-in was told not to start")
    try:
        config = _config()
    except ValueError as error:
        return _refuse(f"fatal: {CONFIG}: {error}")
    address = str(config["bind-address"])
    listener = None
    if not REAL.exists():
        listener = socket.create_server((address, PORT))
    _write_kubeconfig(address, int(str(config["write-kubeconfig-mode"]), 8))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    while True:
        if listener is None:
            time.sleep(3_600)
        else:
            listener.accept()[0].close()


def _config() -> dict[str, Any]:
    found: dict[str, Any] = {}
    key = ""
    for line in CONFIG.read_text().splitlines():
        if line.startswith("  - "):
            _require(LISTS.get(key), key, line[4:])
            found[key].append(line[4:])
            continue
        key, _, value = line.partition(":")
        value = value.strip().strip('"')
        if value:
            _require(WORDS.get(key), key, value)
        elif key not in LISTS:
            raise ValueError(f"no value for {key}")
        found[key] = value or []
    missing = WORDS.keys() - found.keys()
    if missing:
        raise ValueError(f"the stand-in wants {sorted(missing)}")
    return found


def _require(shape: str | None, key: str, value: str) -> None:
    if shape is None:
        raise ValueError(f"flag provided but not defined: --{key}")
    if not re.fullmatch(shape, value):
        raise ValueError(f"{key} is {value!r}")


def _write_kubeconfig(address: str, mode: int) -> None:
    if REAL.exists():
        text = REAL.read_text().replace("ADDRESS", f"https://{address}:{PORT}")
    else:
        authority = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nstand-in\n").decode()
        cluster = {"server": f"https://{address}:{PORT}", "certificate-authority-data": authority}
        text = json.dumps({
            "apiVersion": "v1", "kind": "Config", "clusters": [{"name": "default", "cluster": cluster}],
            "users": [{"name": "default", "user": {"client-key-data": _random()}}],
        })  # fmt: skip
    KUBECONFIG.touch(mode=mode)
    KUBECONFIG.chmod(mode)
    KUBECONFIG.write_text(text)


def kubectl(arguments: list[str]) -> int:
    """The real program, or the answer of this one."""
    if REAL.exists():
        os.execve(KUBECTL, [KUBECTL, *arguments], os.environ | {"KUBECONFIG": str(KUBECONFIG)})  # noqa: S606  no shell is wanted
    asked = _parser().parse_args(arguments)
    if not asked.offline(asked) and not _listens():
        return _refuse("The connection to the server was refused - did you specify the right host or port?")
    try:
        answer: Callable[[argparse.Namespace], int] = asked.answer
        return answer(asked)
    except LookupError as missing:
        return _refuse(f"Error from server (NotFound): {missing.args[0]} not found")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubectl", allow_abbrev=False)
    verbs = parser.add_subparsers(required=True)

    def verb(name: str, answer: Callable[[argparse.Namespace], int], *options: str, positional: str = "*") -> None:
        command = verbs.add_parser(name, allow_abbrev=False)
        command.add_argument("what", nargs=positional)
        for option in options:
            flag = option.endswith("!")
            command.add_argument(option.rstrip("!"), action="store_true" if flag else "store")
        command.set_defaults(answer=answer, offline=lambda asked: bool(getattr(asked, "dry_run", None)))

    verb("get", get, "--raw", "--namespace", "--output", "--ignore-not-found!")
    verb("config", config_view, "--raw!", "--output")
    verb("apply", apply, "--server-side!", "--force-conflicts!", "--field-manager", "--filename")
    verb(
        "create", create, "--namespace", "--from-file", "--dry-run", "--output", "--duration", "--bound-object-kind",
        "--bound-object-name",
    )  # fmt: skip
    verb("delete", delete, "--namespace", "--ignore-not-found!")
    verb("patch", patch, "--namespace", "--type", "--patch")
    return parser


def get(asked: argparse.Namespace) -> int:
    """`get --raw /readyz`, `get secrets`, `get configmap NAME`."""
    if asked.raw:
        return _readiness(asked.raw)
    kind = {"secrets": "Secret", "configmap": "ConfigMap"}[asked.what[0]]
    if len(asked.what) == 1:
        names = [key.split("/")[2] for key in sorted(_objects()) if key.startswith(f"{kind}/{asked.namespace}/")]
        _write("".join(f"{kind.lower()}/{name}\n" for name in names))
        return 0
    found = _objects().get(f"{kind}/{asked.namespace}/{asked.what[1]}")
    if found is None:
        if asked.ignore_not_found:
            return 0
        raise LookupError(f"{kind} {asked.what[1]}")
    _write(_selected(asked.output, found))
    return 0


def _readiness(path: str) -> int:
    left = int(_fault("not_ready", 0))
    if path != "/readyz" or left:
        FAULTS.write_text(json.dumps(json.loads(FAULTS.read_text()) | {"not_ready": left - 1}))
        return _refuse("Error from server (InternalError): an error on the server has prevented the request")
    _write("ok")
    return 0


def config_view(asked: argparse.Namespace) -> int:
    """`config view --raw`."""
    if asked.what != ["view"] or not asked.raw:
        return _refuse("the stand-in knows `config view --raw` only")
    _write(_selected(asked.output, json.loads(KUBECONFIG.read_text())))
    return 0


def apply(asked: argparse.Namespace) -> int:
    """`apply --server-side -f FILE`; only what is complete is taken."""
    text = sys.stdin.read() if asked.filename == "-" else Path(asked.filename).read_text()
    document = json.loads(text)
    objects = _objects()
    for item in document["items"] if document["kind"] == "List" else [document]:
        metadata = item["metadata"]
        key = f"{item['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"
        objects[key] = {**objects.get(key, {}), **item}
        _write(f"{item['kind'].lower()}/{metadata['name']} serverside-applied\n")
    _keep(objects)
    return 0


def create(asked: argparse.Namespace) -> int:
    """`create token`, and `create configmap|secret --dry-run=client -o json`."""
    if asked.what[0] == "token":
        return _create_token(asked)
    if asked.dry_run != "client" or asked.output != "json":
        return _refuse("the stand-in creates objects by apply only")
    kind = {"configmap": "ConfigMap", "secret": "Secret"}[asked.what[0]]
    item: Object = {"apiVersion": "v1", "kind": kind}
    item["metadata"] = {"name": asked.what[-1], "namespace": asked.namespace}
    if asked.from_file:
        key, _, path = asked.from_file.partition("=")
        item["data"] = {key: Path(path).read_text()}
    _write(json.dumps(item))
    return 0


def _create_token(asked: argparse.Namespace) -> int:
    objects = _objects()
    account, bound = asked.what[1], f"{asked.bound_object_kind}/{asked.namespace}/{asked.bound_object_name}"
    for key in (f"ServiceAccount/{asked.namespace}/{account}", bound):
        if key not in objects:
            raise LookupError(key)
    hours = int(asked.duration.removesuffix("h"))
    slept = sum(int(line) for line in Path("/sandbox/slept").read_text().split())
    claims = {
        "exp": int(time.time()) + slept + hours * 3_600,
        "sub": f"system:serviceaccount:{asked.namespace}:{account}",
    }
    parts = [json.dumps({"alg": "RS256", "kid": "stand-in"}), json.dumps(claims)]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    _write(".".join([*encoded, _random()]) + "\n")
    return 0


def delete(asked: argparse.Namespace) -> int:
    """`delete secret NAME`."""
    objects = _objects()
    kind, name = asked.what
    key = f"{kind.capitalize()}/{asked.namespace}/{name}"
    if objects.pop(key, None) is None and not asked.ignore_not_found:
        raise LookupError(key)
    _keep(objects)
    _write(f'{kind} "{name}" deleted\n')
    return 0


def patch(asked: argparse.Namespace) -> int:
    """`patch configmap NAME --type merge`."""
    objects = _objects()
    key = f"ConfigMap/{asked.namespace}/{asked.what[1]}"
    if asked.type != "merge" or key not in objects:
        raise LookupError(key)
    data = objects[key].setdefault("data", {}) | json.loads(asked.patch)["data"]
    objects[key]["data"] = {name: value for name, value in data.items() if value is not None}
    _keep(objects)
    _write(f"configmap/{asked.what[1]} patched\n")
    return 0


def _random() -> str:
    return base64.urlsafe_b64encode(os.urandom(64)).decode()


def _selected(output: str, document: Object) -> str:
    if not output.startswith("jsonpath="):
        raise LookupError(f"output {output}")

    def value(match: re.Match[str]) -> str:
        node: Any = document
        for name, number in re.findall(r"\.([\w-]+)|\[(\d+)\]", match.group(1)):
            node = node[int(number)] if number else (node or {}).get(name)
        return "" if node is None else str(node)

    return re.sub(r"\{([^}]*)\}", value, output.removeprefix("jsonpath="))


def _listens() -> bool:
    if not KUBECONFIG.exists():
        return False
    host = json.loads(KUBECONFIG.read_text())["clusters"][0]["cluster"]["server"].split("//")[1].split(":")[0]
    try:
        socket.create_connection((host, PORT), timeout=1).close()
    except OSError:
        return False
    return True


def _fault(name: str, default: Any) -> Any:
    return json.loads(FAULTS.read_text()).get(name, default)


def _objects() -> dict[str, Object]:
    found: dict[str, Object] = json.loads(OBJECTS.read_text()) if OBJECTS.exists() else {}
    return found


def _keep(objects: dict[str, Object]) -> None:
    OBJECTS.parent.mkdir(parents=True, exist_ok=True)
    OBJECTS.write_text(json.dumps(objects))


def _write(text: str) -> None:
    sys.stdout.write(text)


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


def run() -> int:
    """This process's own command line."""
    return main(sys.argv[1:])
