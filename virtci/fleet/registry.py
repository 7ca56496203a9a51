"""Digests of images, asked of the registry that has them: what was pushed, whatever the build says of it.

Source: OCI Distribution Specification v1.1 (2024-02), "Pulling manifests" and "Determining Support"; the token protocol is that of
distribution.github.io/distribution/spec/auth/token (read 2026-11).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtci.core.problems import Refusal

if TYPE_CHECKING:
    import httpx

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
LOOPBACK = ("localhost", "127.0.0.1")
LOGIN = "give the login of the registry: GITHUB_ACTOR and GITHUB_TOKEN with `packages: read`"


@dataclass(frozen=True)
class Registry:
    """A registry with its prefix, for example `ghcr.io/org/kubevirt`. As everywhere, only loopback goes without TLS."""

    client: "httpx.Client"
    prefix: str
    user: str = ""
    password: str = ""

    def digest(self, image: str, tag: str) -> str | None:
        """The digest of what a tag names now; nothing for an image without that tag.

        The digest is computed from the manifest and must be the one that the registry names. Raises `Refusal`.
        """
        host, _, path = self.prefix.partition("/")
        scheme = "http" if host.partition(":")[0] in LOOPBACK else "https"
        answer = self._get(f"{scheme}://{host}/v2/{path}/{image}/manifests/{tag}")
        if answer.status_code == 404:
            return None
        found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        named = answer.headers.get("Docker-Content-Digest", found)
        if answer.status_code != 200 or named != found:
            raise Refusal(
                f"the registry gives the manifest of {self.prefix}/{image}:{tag}",
                f"it answered {answer.status_code}"
                if answer.status_code != 200
                else f"it says {named}, but sent {found}",
                LOGIN if answer.status_code in (401, 403) else "run the job again; then look at the registry",
            )
        return found

    def _get(self, url: str) -> "httpx.Response":
        import httpx

        try:
            answer = self.client.get(url, headers={"Accept": MANIFESTS})
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status_code == 401 and challenge.startswith("Bearer "):
                token = self._token(dict(PARAMETER.findall(challenge)))
                answer = self.client.get(url, headers={"Accept": MANIFESTS, "Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            raise Refusal(
                f"{url} answers", f"it was not reached: {error}", "look at the registry's name and the network"
            ) from None
        return answer

    def _token(self, challenge: dict[str, str]) -> str:
        asked: dict[str, str] = {name: value for name, value in challenge.items() if name in ("service", "scope")}
        login = (self.user, self.password) if self.password else None
        answer = self.client.get(challenge.get("realm", ""), params=asked, auth=login)
        if answer.status_code != 200:
            raise Refusal(f"{self.prefix} lets this login read", f"it answered {answer.status_code}", LOGIN)
        content = answer.json()
        return str(content.get("token") or content.get("access_token") or "")
