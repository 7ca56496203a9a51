"""Stand-in for the listener of GitHub's runner agent: registers with the simulated GitHub, and comes online.

Keeps what the real one keeps (`.runner`, `.credentials`, `.credentials_rsaparams`, `_diag`), takes the same arguments, and
ends in the same words. A token among the arguments is refused, which the real one is not strict enough for.
"""

import json
import os
import signal
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

VERSION = "@VERSION@"
API = "https://api.github.com"
FLAGS = {"--unattended", "--replace", "--disableupdate", "--ephemeral", "--no-default-labels"}
VALUES = {"--url", "--name", "--labels", "--work", "--runnergroup"}
SETTINGS, CREDENTIALS, KEY = Path(".runner"), Path(".credentials"), Path(".credentials_rsaparams")


def main(arguments: list[str]) -> int:
    """One command line."""
    os.chdir(Path(__file__).parent.parent)
    command, *rest = arguments
    if "--version" in rest:
        return _say(VERSION, 0)
    Path("_diag").mkdir(exist_ok=True)
    Path(f"_diag/Runner_{os.getpid()}.log").write_text(f"{command} {' '.join(rest)}\n")
    return configure(rest) if command == "configure" else run()


def configure(arguments: list[str]) -> int:
    """Registers this machine."""
    given, words = {}, iter(arguments)
    for word in words:
        if word in FLAGS:
            given[word] = ""
        elif word in VALUES:
            given[word] = next(words)
        else:
            return _say(f"Unrecognized command-line input arguments: '{word}'.")
    token = os.environ.pop("ACTIONS_RUNNER_INPUT_TOKEN", "")
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
    }
    made = _asked("/actions/runner-registration", body, token)
    if made is None:
        return 1
    _say("√ Connected to GitHub\n√ Runner successfully added")
    KEY.touch(mode=0o600)
    KEY.write_text(made["credential"])
    CREDENTIALS.write_text(json.dumps({"scheme": "OAuth", "data": {"clientId": str(made["id"])}}))
    SETTINGS.write_text(json.dumps({"agentId": made["id"], "agentName": given["--name"], "gitHubUrl": given["--url"]}))
    _say("√ Settings Saved.")
    return 0


def run() -> int:
    """Comes online and listens for ever; there are no jobs."""
    if not SETTINGS.exists():
        return _say("Not configured. Run config.(sh/cmd) to configure the runner.")
    if _asked("/actions/runner-sessions", {"credential": KEY.read_text()}, "") is None:
        return 1
    _say("√ Connected to GitHub\nListening for Jobs")
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    while True:
        signal.pause()


def _asked(path: str, body: dict[str, object], token: str) -> dict[str, str] | None:
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
