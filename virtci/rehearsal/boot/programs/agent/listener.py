"""Stand-in for the listener of GitHub's runner agent: registers with the simulated GitHub, comes online, and runs jobs.

Keeps what the real one keeps (`.runner`, `.credentials`, `.credentials_rsaparams`, `_diag`), takes the same arguments, and
ends in the same words. A token or a just-in-time configuration among the arguments is refused, which the real one is not
strict enough for. What a job does is a line for bash; the real one would have fetched it as steps of a workflow.
"""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

VERSION = "@VERSION@"
API = "https://api.github.com"
FLAGS = {"--unattended", "--replace", "--disableupdate", "--ephemeral", "--no-default-labels"}
VALUES = {"--url", "--name", "--labels", "--work", "--runnergroup"}
SETTINGS, CREDENTIALS, KEY = Path(".runner"), Path(".credentials"), Path(".credentials_rsaparams")
GIVEN = "ACTIONS_RUNNER_INPUT_"
HOOK = "ACTIONS_RUNNER_HOOK_JOB_COMPLETED"
POLL_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """One command line."""
    os.chdir(Path(__file__).parent.parent)
    command, *rest = arguments
    if "--version" in rest:
        return _say(VERSION, 0)
    Path("_diag").mkdir(exist_ok=True)
    Path(f"_diag/Runner_{os.getpid()}.log").write_text(f"{command} {' '.join(rest)}\n")
    # As the real one does, so that no job inherits them.
    given = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith(GIVEN)}
    return configure(rest, given) if command == "configure" else run(rest, given)


def configure(arguments: list[str], secrets: dict[str, str]) -> int:
    """Registers this machine."""
    given, words = {}, iter(arguments)
    for word in words:
        if word in FLAGS:
            given[word] = ""
        elif word in VALUES:
            given[word] = next(words)
        else:
            return _say(f"Unrecognized command-line input arguments: '{word}'.")
    token = secrets.get(f"{GIVEN}TOKEN", "")
    if not token or "--unattended" not in given:
        return _say("Invalid configuration provided for token. Terminating unattended configuration.")
    if SETTINGS.exists():
        return _say("Cannot configure the runner because it is already configured.")
    body = {
        "place": given["--url"].removeprefix("https://github.com/"),
        "name": given["--name"],
        "labels": [label for label in given.get("--labels", "").split(",") if label],
        "version": VERSION,
        "replace": "--replace" in given,
        "default_labels": "--no-default-labels" not in given,
    }
    made = _asked("/actions/runner-registration", body, token)
    if made is None:
        return 1
    _say("√ Connected to GitHub\n√ Runner successfully added")
    KEY.touch(mode=0o600)
    KEY.write_text(json.dumps({"d": made["credential"]}))
    CREDENTIALS.write_text(json.dumps({"scheme": "OAuth", "data": {"clientId": str(made["id"])}}))
    SETTINGS.write_text(json.dumps({"agentId": made["id"], "agentName": given["--name"], "gitHubUrl": given["--url"]}))
    _say("√ Settings Saved.")
    return 0


def run(arguments: list[str], secrets: dict[str, str]) -> int:
    """Comes online and runs jobs; an agent that is ephemeral runs one."""
    unknown = [word for word in arguments if word not in ("--startuptype", "service")]
    if unknown:
        return _say(f"Unrecognized command-line input arguments for command run: '{unknown[0]}'.")
    _unpack(secrets.get(f"{GIVEN}JITCONFIG", ""))
    if not SETTINGS.exists():
        return _say("Not configured. Run config.(sh/cmd) to configure the runner.")
    # A shell starts what it puts into the background deaf to SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    identity = {"credential": json.loads(KEY.read_text())["d"]}
    if _asked("/actions/runner-sessions", {**identity, "version": VERSION}) is None:
        return 1
    _say("√ Connected to GitHub\nListening for Jobs")
    try:
        return _listen(identity)
    except KeyboardInterrupt:
        _asked("/actions/runner-farewells", identity)
        return _say("Exiting...", 0)


def _listen(identity: dict[str, str]) -> int:
    while True:
        job = _asked("/actions/runner-messages", identity)
        if job is None:
            return 1
        if not job:
            time.sleep(POLL_SECONDS)
            continue
        _say(f"Running job: {job['name']}")
        conclusion = "cancelled"
        try:
            conclusion = "success" if _work(job) else "failure"
        finally:
            _say(f"Job {job['name']} completed with result: {conclusion}")
            _asked("/actions/runner-jobs", {**identity, "job": job["id"], "conclusion": conclusion})
        if json.loads(SETTINGS.read_text()).get("ephemeral"):
            for file in (SETTINGS, CREDENTIALS, KEY):
                file.unlink(missing_ok=True)
            return 0


def _work(job: dict[str, str]) -> bool:
    """Runs a job and the hook after it; a hook that fails fails the job."""
    Path("_work").mkdir(exist_ok=True)
    environment = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_JOB": job["name"]}
    commands = [["/bin/bash", "-e", "-c", job["does"]]]
    hook = os.environ.get(HOOK)
    if hook:
        commands.append(["/bin/bash", "-e", hook])
    codes = [subprocess.run(command, env=environment, cwd="_work", check=False).returncode for command in commands]
    Path(f"_diag/Worker_{job['id']}.log").write_text(f"{job['name']}: {codes}\n")
    return not any(codes)


def _unpack(encoded: str) -> None:
    """Writes the files of a just-in-time configuration."""
    files = json.loads(base64.b64decode(encoded)) if encoded else {}
    for name, content in files.items():
        Path(name).touch(mode=0o600)
        Path(name).write_bytes(base64.b64decode(content))


def _asked(path: str, body: Mapping[str, object], token: str = "") -> dict[str, str] | None:
    headers = {"Content-Type": "application/json", **({"Authorization": f"RemoteAuth {token}"} if token else {})}
    request = urllib.request.Request(f"{API}{path}", json.dumps(body).encode(), headers)  # noqa: S310 (https alone)
    trusted = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")
    try:
        with urllib.request.urlopen(request, context=trusted, timeout=30) as answer:  # noqa: S310 (https alone)
            found: dict[str, str] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        _say(f"Http response code: {error.reason} from 'POST {API}{path}'")
    except urllib.error.URLError as error:
        _say(f"{error.reason} (api.github.com:443)")
    return None


def _say(text: str, code: int = 1) -> int:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
