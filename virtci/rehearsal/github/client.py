"""The HTTP client of the simulated provider: paced, serial and patient, as the Terraform provider is.

Waiting happens on the simulated clock. The defaults are those of the Terraform provider: one request at a
time, a second between writes, three more tries after a server error, and patience with rate limits.
"""

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from nacl.public import PublicKey, SealedBox

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError

API = "https://api.github.com/"
RETRYABLE = (500, 502, 503, 504)
LIMITED = (403, 429)
PATIENCE = 10  # The real client waits for rate limits without end; a rehearsal must come to one.


@dataclass(frozen=True, slots=True)
class Settings:
    """The provider's configuration."""

    owner: str = ""
    token: str = field(default="", repr=False)
    api: str = API
    retries: int = 3
    retry_delay: float = 1.0
    write_delay: float = 1.0
    read_delay: float = 0.0

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "Settings":
        """Takes the configuration as the engine hands it over, all of it text."""
        usual = cls()
        return cls(
            owner=variables.get("owner") or variables.get("organization") or "",
            token=variables.get("token", ""),
            api=variables.get("baseUrl", API).rstrip("/") + "/",
            retries=int(variables.get("maxRetries", usual.retries)),
            retry_delay=_seconds(variables, "retryDelayMs", usual.retry_delay),
            write_delay=_seconds(variables, "writeDelayMs", usual.write_delay),
            read_delay=_seconds(variables, "readDelayMs", usual.read_delay),
        )


@dataclass
class Client:
    """Calls the API at `url`; messages name the API that the configuration names."""

    url: str
    clock: SimulatedClock
    settings: Settings = field(default_factory=Settings)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _delay: float = 0.0

    @property
    def owner(self) -> str:
        """The account whose repositories are managed."""
        if not self.settings.owner:
            raise CloudError(400, "MissingOwner", "The provider has no owner: set github:owner.")
        return self.settings.owner

    def call(self, method: str, *segments: str, body: Mapping[str, Any] | None = None) -> Any:
        """The decoded answer, or the refusal in the words of the provider."""
        path = "/".join(quote(segment, safe="") for segment in segments)
        # The lock comes before the clock: a caller that waits for its turn must not hold up time.
        with self._lock:
            response = self._patiently(method, path, body)
        if response.is_success:
            return response.json() if response.content else None
        raise _refusal(method, self.settings.api + path, response)

    def find(self, *segments: str) -> Any:
        """The decoded answer to a GET, or nothing when the object is absent."""
        try:
            return self.call("GET", *segments)
        except CloudError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def remove(self, *segments: str) -> None:
        """Deletes; what is gone already is a success."""
        try:
            self.call("DELETE", *segments)
        except CloudError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    @cached_property
    def _http(self) -> httpx.Client:
        headers = {"Accept": "application/vnd.github+json", "User-Agent": "virtci-rehearsal"}
        if self.settings.token:
            headers["Authorization"] = f"Bearer {self.settings.token}"
        # Proxies of the machine have nothing to do with a server on this machine.
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def _patiently(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        failures = limits = 0
        while True:
            response = self._paced(method, path, body)
            pause = self._pause(response)
            if pause is not None and limits < PATIENCE:
                limits += 1
                self._wait(pause)
            elif response.status_code in RETRYABLE and failures < self.settings.retries:
                failures += 1
                self._wait(self.settings.retry_delay)
            else:
                return response

    def _paced(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        self._wait(self._delay)
        self._delay = self.settings.read_delay if method == "GET" else self.settings.write_delay
        return self._http.request(method, f"/{path}", json=body)

    def _pause(self, response: httpx.Response) -> float | None:
        """How long a rate limit asks the caller to wait; nothing when no limit was met."""
        if response.status_code not in LIMITED:
            return None
        if "retry-after" in response.headers:
            return float(response.headers["retry-after"])
        if response.headers.get("x-ratelimit-remaining") == "0":
            return max(float(response.headers["x-ratelimit-reset"]) - self.clock.now.timestamp(), 1.0)
        return None

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with self.clock.operation():
                self.clock.wait(seconds)


def sealed(public_key: str, value: str) -> str:
    """A value that only GitHub can open."""
    box = SealedBox(PublicKey(base64.b64decode(public_key)))
    return base64.b64encode(box.encrypt(value.encode())).decode()


def _seconds(variables: Mapping[str, str], name: str, usual: float) -> float:
    return float(variables[name]) / 1000 if name in variables else usual


def _refusal(method: str, url: str, response: httpx.Response) -> CloudError:
    message = response.json().get("message", "") if response.content else ""
    code = HTTPStatus(response.status_code).phrase.replace(" ", "")
    text = f"{method} {url}: {response.status_code} {message} []"
    return CloudError(response.status_code, code, text)
