"""The instance metadata service of a simulated EC2 instance, version 2: no answer without a token of its own.

Sources: AWS EC2 User Guide, "Use the Instance Metadata Service" (tokens, headers, errors), "Instance metadata categories",
"View tags for your EC2 instances using instance metadata", "Spot Instance interruption notices". The hop limit is the
network's matter, not the service's.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from virtci.rehearsal.aws.cloud import Aws
from virtci.rehearsal.aws.sessions import Sessions
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.journal import CloudError

CLOUD = "metadata"
TOKEN_PATH = "/latest/api/token"  # noqa: S105  a path, not a token
KEYS_PATH = "/latest/meta-data/iam/security-credentials/"
LONGEST = 21_600
"""Seconds that a token lives at most."""


@dataclass
class InstanceMetadata:
    """The service of one instance. The first `unready` requests are answered with 503, as while it starts."""

    aws: Aws
    region: str
    instance_id: str
    sessions: Sessions
    unready: int = 0
    notice: str = ""
    """When the platform takes the instance back; empty: it does not."""
    _tokens: dict[str, float] = field(default_factory=dict, repr=False)

    def answer(self, request: Request) -> Plain | None:
        """Answers one call; nothing while the instance is off or gone."""
        self.aws.settle()
        instance = self._instance()
        if instance is None or instance.state != "running":
            return None
        path = unquote(urlsplit(request.target).path)
        try:
            self.aws.journal.fault(CLOUD, request.method, path)
            response = Plain(200, content=self._carry_out(instance, request, path).encode())
        except CloudError as error:
            response = Plain(error.status, content=error.message.encode())
        self.aws.journal.record(CLOUD, request.method, path, response.status)
        return response

    def _carry_out(self, instance: Any, request: Request, path: str) -> str:
        if self.unready > 0:
            self.unready -= 1
            raise CloudError(503, "ServiceUnavailable", "Service Unavailable")
        if instance.metadata_options.http_endpoint == "disabled" or request.headers.get("X-Forwarded-For"):
            raise CloudError(403, "Forbidden", "Forbidden")
        if path == TOKEN_PATH:
            return self._token(request)
        if request.method != "GET":
            raise CloudError(405, "MethodNotAllowed", "Method Not Allowed")
        self._check_token(instance, request)
        if path.startswith(KEYS_PATH):
            found = self._keys(instance, path)
        else:
            found = self._facts(instance).get(path.removeprefix("/latest/"))
        if found is None:
            raise CloudError(404, "NotFound", "Not Found")
        return found

    def _token(self, request: Request) -> str:
        seconds = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds") or ""
        if request.method != "PUT":
            raise CloudError(405, "MethodNotAllowed", "Method Not Allowed")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST:
            raise CloudError(400, "BadRequest", "Bad Request")
        token = base64.b64encode(secrets.token_bytes(40)).decode()
        self._tokens[token] = self.sessions.clock().timestamp() + int(seconds)
        return token

    def _check_token(self, instance: Any, request: Request) -> None:
        token = request.headers.get("X-aws-ec2-metadata-token")
        if token is None and instance.metadata_options.http_tokens != "required":
            return
        if self._tokens.get(token or "", 0.0) <= self.sessions.clock().timestamp():
            raise CloudError(401, "Unauthorized", "Unauthorized")

    def _facts(self, instance: Any) -> dict[str, str]:
        """Everything that can be asked for, by its path."""
        found = {
            "meta-data/instance-id": instance.id,
            "meta-data/instance-type": instance.instance_type,
            "meta-data/placement/region": self.region,
        }
        if instance.metadata_options.instance_metadata_tags == "enabled":
            tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
            found |= {f"meta-data/tags/instance/{name}": value for name, value in tags.items()}
        if self.notice:
            found["meta-data/spot/instance-action"] = json.dumps({"action": "terminate", "time": self.notice})
        return found

    def _keys(self, instance: Any, path: str) -> str | None:
        """The role of the instance, and a session of it."""
        name = (instance.iam_instance_profile or {}).get("Arn", "").rsplit("/", 1)[-1]
        profiles = self.aws.backend("iam", "aws").instance_profiles.values()
        role = next((item.roles[0].name for item in profiles if item.name == name and item.roles), "")
        if not role or path not in (KEYS_PATH, f"{KEYS_PATH}{role}"):
            return None
        if path == KEYS_PATH:
            return role
        session = self.sessions.issue(role)
        keys = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret_key,
            "Token": session.token,
            "Expiration": session.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return json.dumps(keys)

    def _instance(self) -> Any:
        found = self.aws.backend("ec2", self.region).all_instances()
        return next((item for item in found if item.id == self.instance_id), None)


def handler(service: InstanceMetadata) -> type[BaseHTTPRequestHandler]:
    """The face of the service."""
    return face(service.answer)
