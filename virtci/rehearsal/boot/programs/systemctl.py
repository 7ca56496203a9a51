"""Stand-in for systemd: enables units and runs services as their files say. Strict: what it does not know, it refuses.

Keeps the state of services in /run, so that a reboot forgets it, and what they print in one journal. Time does not pass
by itself: what a timer or a path starts is started by whoever rehearses.
"""

import grp
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

FOLDERS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"))
STATES = Path("/run/sandbox-units")
JOURNAL = Path("/sandbox/journal")
OFF = Path("/sandbox/off")
READY_SECONDS = 60
STOP_SECONDS = 5
MOST_FILES = 256
KNOWN = {
    "Unit": {
        "Description", "Documentation", "Wants", "Requires", "After", "Before", "ConditionPathExists",
        "ConditionFileIsExecutable", "StartLimitIntervalSec", "StartLimitBurst", "OnSuccess", "OnFailure",
    },
    "Service": {
        "Type", "EnvironmentFile", "Environment", "ExecStart", "ExecStartPre", "RemainAfterExit", "User", "UMask",
        "WorkingDirectory", "RuntimeDirectory", "RuntimeDirectoryMode",
        # What a sandbox shows no difference of: one log, no limits, nobody who restarts or isolates.
        "TimeoutStartSec", "TimeoutStopSec", "TimeoutSec", "StandardOutput", "StandardError", "SyslogIdentifier",
        "Restart", "RestartSec", "RestartPreventExitStatus", "SuccessExitStatus", "KillMode", "KillSignal", "Delegate",
        "NoNewPrivileges", "PrivateTmp", "ProtectSystem", "ProtectHome", "ProtectProc", "ReadWritePaths",
        "InaccessiblePaths", "IPAddressDeny", "ProtectKernelTunables", "ProtectControlGroups", "ProtectKernelModules",
        "LogLevelMax", "SyslogLevel",
    },
    "Path": {"PathModified"},
    "Timer": {"OnCalendar", "OnBootSec", "OnUnitActiveSec", "OnUnitInactiveSec", "RandomizedDelaySec", "Persistent", "AccuracySec"},
    "Install": {"WantedBy"},
}  # fmt: skip
Sections = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class State:
    """What is known of a unit; the process is that of a service that goes on running."""

    state: str = "inactive"
    pid: int = 0

    @property
    def runs(self) -> bool:
        """Whether its process is there; one that has ended stays in the list, because nobody here waits for it."""
        status = Path(f"/proc/{self.pid}/stat")
        return self.pid > 0 and status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def main(arguments: list[str]) -> int:
    """One command line."""
    flags = {word for word in arguments if word.startswith("-")}
    verb, *names = [word for word in arguments if not word.startswith("-")]
    names = [Path(name).name if "." in Path(name).name else f"{name}.service" for name in names]
    if flags - {"--now", "--quiet", "--no-block", "-q"}:
        return _refuse(f"unknown option in {arguments}")
    if verb == "daemon-reload":
        return 0
    if verb == "poweroff" and not names:
        return poweroff()
    verbs: dict[str, Callable[[str], int]] = {
        "enable": enable, "disable": disable, "start": start, "stop": stop, "restart": restart,
        "is-active": is_active, "is-enabled": is_enabled, "reset-failed": lambda _: 0,
    }  # fmt: skip
    if verb not in verbs or not names:
        return _refuse(f"unknown command {arguments}")
    if verb.startswith("is-"):
        return max(verbs[verb](name) for name in names)
    codes = [verbs[verb](name) for name in names]
    if "--now" in flags and not any(codes):
        codes += [(start if verb == "enable" else stop)(name) for name in names]
    return max(codes)


def enable(name: str) -> int:
    """Links the unit into what it is wanted by."""
    file = _file(name)
    if file is None:
        return _refuse(f"Failed to enable unit: Unit file {name} does not exist.")
    for target in _all(_read(name), "Install", "WantedBy"):
        folder = FOLDERS[0] / f"{target}.wants"
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return 0


def disable(name: str) -> int:
    """Removes the unit's links."""
    for link in FOLDERS[0].glob(f"*.wants/{name}"):
        link.unlink()
    return 0


def is_enabled(name: str) -> int:
    """Whether the unit has a link."""
    return 0 if any(FOLDERS[0].glob(f"*.wants/{name}")) else 1


def is_active(name: str) -> int:
    """Whether the unit runs, or ran and stays active."""
    state = _state(name)
    return 0 if state.state == "active" and (state.pid == 0 or state.runs) else 3


def restart(name: str) -> int:
    """Ends the service if it runs, and starts it."""
    stop(name)
    return start(name)


def poweroff() -> int:
    """Ends everything, until somebody reboots the sandbox."""
    OFF.touch()
    os.kill(-1, signal.SIGKILL)
    return 0


def stop(name: str) -> int:
    """Ends the service by its signal, and what is left of it after a while by force."""
    state = _state(name)
    if state.runs:
        sections = _read(name)
        end = os.kill if _last(sections, "KillMode") == "process" else os.killpg
        end(state.pid, signal.Signals[_last(sections, "KillSignal") or "SIGTERM"])
        _await_end(state)
        with suppress(ProcessLookupError):
            os.killpg(state.pid, signal.SIGKILL)
    _keep(name, State())
    return 0


def _await_end(state: State) -> None:
    for _ in range(STOP_SECONDS * 20):
        if not state.runs:
            return
        time.sleep(0.05)


def start(name: str) -> int:
    """Starts a unit and waits until it is up; a oneshot is up when it has ended."""
    if _file(name) is None:
        return _refuse(f"Failed to start {name}: Unit {name} not found.")
    if is_active(name) == 0:
        return 0
    sections = _read(name)
    if name.endswith((".timer", ".path")):
        _keep(name, State("active"))
        return 0
    if not all(_holds(key, value) for key, value in sections.get("Unit", [])):
        return 0
    if any(start(other) for value in _all(sections, "Unit", "Requires") for other in value.split()):
        return _refuse(f"A dependency job for {name} failed.")
    if _run(name, sections):
        return 0
    _keep(name, State("failed"))
    return _refuse(f"Job for {name} failed because the control process exited with error code.")


def _run(name: str, sections: Sections) -> bool:
    environment = _environment(sections)
    _make_runtime_directory(sections)
    for command in _all(sections, "Service", "ExecStartPre"):
        if not _command(command, environment, sections):
            return False
    kind = (_all(sections, "Service", "Type") or ["simple"])[-1]
    for command in _all(sections, "Service", "ExecStart"):
        if kind in ("oneshot", "forking"):
            _keep(name, State("activating"))
            if not _command(command, environment, sections):
                return False
            stays = _all(sections, "Service", "RemainAfterExit") == ["yes"]
            _keep(name, State("active" if stays or kind == "forking" else "inactive"))
        elif any(_followers(sections)):
            _supervise(name, command, environment, sections)
        elif not _daemon(name, command, environment, sections, notifies=kind == "notify"):
            return False
    return True


def _followers(sections: Sections) -> tuple[str, str]:
    """The units that start when this one has ended well, or not."""
    good, bad = (_all(sections, "Unit", key) for key in ("OnSuccess", "OnFailure"))
    return (good or [""])[-1], (bad or [""])[-1]


def _supervise(name: str, command: str, environment: dict[str, str], sections: Sections) -> None:
    """Starts a service and leaves somebody behind who waits for its end, as systemd would."""
    started, tell = os.pipe()
    if os.fork():
        os.close(tell)
        with os.fdopen(started) as there:
            there.read()
        return
    os.setsid()
    with JOURNAL.open("a") as journal:
        process = _started(command, environment, sections, journal)
    _keep(name, State("active", process.pid))
    # Nothing that the caller holds, a lock above all, may be held until the service ends.
    for stream in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    os.closerange(3, MOST_FILES)
    ended_well = process.wait() in (0, *(-number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
    _keep(name, State("inactive" if ended_well else "failed"))
    follower = _followers(sections)[0 if ended_well else 1]
    os._exit(start(follower) if follower else 0)


def _command(command: str, environment: dict[str, str], sections: Sections) -> bool:
    may_fail = command.startswith("-")
    words = _words(command.lstrip("-"))
    if not Path(words[0]).exists():
        return may_fail
    with JOURNAL.open("a") as journal:
        code = subprocess.run(
            [*_prefix(sections), *words], env=environment, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal,
            cwd=_last(sections, "WorkingDirectory") or "/", umask=_umask(sections), check=False,
        ).returncode  # fmt: skip
    return may_fail or code == 0


def _daemon(name: str, command: str, environment: dict[str, str], sections: Sections, notifies: bool) -> bool:
    address = f"/run/sandbox-notify-{name}"
    Path(address).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, JOURNAL.open("a") as journal:
        notices.bind(address)
        notices.settimeout(0.05)
        more = {"NOTIFY_SOCKET": address} if notifies else {}
        process = _started(command, environment | more, sections, journal)
        _keep(name, State("active", process.pid))
        if not notifies:
            return True
        for _ in range(READY_SECONDS * 20):
            try:
                if b"READY=1" in notices.recv(4096):
                    return True
            except TimeoutError:
                if process.poll() is not None:
                    return False
    return False


def _started(command: str, environment: dict[str, str], sections: Sections, journal: TextIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_prefix(sections), *_words(command)], env=environment, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal,
        start_new_session=True, cwd=_last(sections, "WorkingDirectory") or "/", umask=_umask(sections),
    )  # fmt: skip


def _prefix(sections: Sections) -> list[str]:
    user = _last(sections, "User")
    if user in ("", "root"):
        return []
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    return ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"]


def _umask(sections: Sections) -> int:
    return int(_last(sections, "UMask") or "022", 8)


def _make_runtime_directory(sections: Sections) -> None:
    name, user = _last(sections, "RuntimeDirectory"), _last(sections, "User") or "root"
    if name:
        folder = Path("/run") / name
        folder.mkdir(exist_ok=True)
        folder.chmod(int(_last(sections, "RuntimeDirectoryMode") or "755", 8))
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)


def _environment(sections: Sections) -> dict[str, str]:
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    user = _last(sections, "User")
    if user:
        found |= {"USER": user, "LOGNAME": user, "HOME": pwd.getpwnam(user).pw_dir}
    for value in _all(sections, "Service", "Environment"):
        name, _, text = value.strip('"').partition("=")
        found[name] = text
    for value in _all(sections, "Service", "EnvironmentFile"):
        path = Path(value.lstrip("-"))
        if value.startswith("-") and not path.exists():
            continue
        for line in path.read_text().splitlines():
            name, _, text = line.partition("=")
            found[name] = text.strip('"')
    return found


def _holds(key: str, value: str) -> bool:
    if key not in ("ConditionPathExists", "ConditionFileIsExecutable"):
        return True
    exists = Path(value.lstrip("!")).exists()
    return not exists if value.startswith("!") else exists


def _words(command: str) -> list[str]:
    return command.replace("\\\n", " ").split()


def _all(sections: Sections, section: str, key: str) -> list[str]:
    return [value for found, value in sections.get(section, []) if found == key]


def _last(sections: Sections, key: str) -> str:
    return (_all(sections, "Service", key) or [""])[-1]


def _file(name: str) -> Path | None:
    return next((folder / name for folder in FOLDERS if (folder / name).exists()), None)


def _read(name: str) -> Sections:
    sections: Sections = {}
    for folder in FOLDERS:
        for file in (folder / name, *sorted((folder / f"{name}.d").glob("*.conf"))):
            if file.is_file():
                _read_file(file, sections)
    return sections


def _read_file(file: Path, sections: Sections) -> None:
    section = ""
    for line in file.read_text().replace("\\\n", " ").splitlines():
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if text.startswith("["):
            section = text.strip("[]")
            continue
        key, _, value = text.partition("=")
        if key.strip() not in KNOWN.get(section, set()):
            sys.exit(_refuse(f"{file}: the stand-in does not know {key.strip()} in [{section}]"))
        sections.setdefault(section, []).append((key.strip(), value.strip()))


def _state(name: str) -> State:
    file = STATES / name
    return State(**json.loads(file.read_text())) if file.exists() else State()


def _keep(name: str, state: State) -> None:
    STATES.mkdir(exist_ok=True)
    (STATES / name).write_text(json.dumps(asdict(state)))


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


def run() -> int:
    """This process's own command line."""
    return main(sys.argv[1:])
