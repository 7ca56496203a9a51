"""What a machine may do in the simulated AWS: the sessions of its role, and the face of a service that takes nothing else.

Sources: AWS IAM User Guide, "Create a signed AWS API request" (signature version 4) and "Policy evaluation logic"; a
request may be five minutes early or late. The signature is computed again by botocore's own signer, from the headers that
the request names as signed.
"""

import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from virtci.rehearsal.aws import access, wire
from virtci.rehearsal.aws.cloud import CLOUD, Aws
from virtci.rehearsal.aws.needs import needs_of
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.journal import CloudError

LIFETIME = timedelta(hours=6)
SKEW = timedelta(minutes=5)
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Session:
    """Keys of a role for a few hours."""

    role: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


@dataclass
class Sessions:
    """All sessions that were given out; `clock` is that of the machines, which is real in a sandbox."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    issued: dict[str, Session] = field(default_factory=dict)

    def issue(self, role: str) -> Session:
        """A session of a role."""
        key = "ASIA" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(16))
        made = Session(role, key, secrets.token_urlsafe(30), secrets.token_urlsafe(300), self.clock() + LIFETIME)
        self.issued[key] = made
        return made

    def holder(self, request: Request) -> str:
        """The role in whose name a request is signed. Raises `CloudError` unless every word of it is."""
        told = AUTHORIZATION.fullmatch(request.headers.get("Authorization") or "")
        if told is None:
            raise CloudError(403, "MissingAuthenticationToken", "The request is not signed as it has to be.")
        session = self.issued.get(told["key"])
        if session is None or not secrets.compare_digest(
            session.token, request.headers.get("X-Amz-Security-Token") or ""
        ):
            raise CloudError(
                403, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        if self.clock() >= session.expires:
            raise CloudError(403, "ExpiredTokenException", "The security token included in the request is expired")
        self._check_signature(request, told, session)
        return session.role

    def _check_signature(self, request: Request, told: re.Match[str], session: Session) -> None:
        names = told["headers"].split(";")
        unsigned = {name.lower() for name in request.headers if name.lower().startswith("x-amz-")} | {"host"}
        if missing := unsigned - set(names):
            raise CloudError(403, "InvalidSignatureException", f"Headers are not signed: {', '.join(sorted(missing))}.")
        stamp = request.headers.get("X-Amz-Date") or ""
        try:
            moment = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
        except ValueError:
            raise CloudError(403, "InvalidSignatureException", "The request has no date.") from None
        if abs(self.clock() - moment) > SKEW or not stamp.startswith(told["day"]):
            raise CloudError(403, "InvalidSignatureException", f"Signature expired or not yet current: {stamp}")
        if not secrets.compare_digest(_signature(request, told, session, names, stamp), told["signature"]):
            text = "The request signature we calculated does not match the signature you provided."
            raise CloudError(403, "InvalidSignatureException", text)


def handler(aws: Aws, sessions: Sessions) -> type[BaseHTTPRequestHandler]:
    """The face of the services towards machines: signed by a session, and allowed to its role by the account's policies."""

    def answer(request: Request) -> Plain:
        try:
            asked = wire.understand(request, aws.scenario.account)
            try:
                _judge(aws, sessions.holder(request), asked)
            except CloudError as error:
                aws.journal.record(CLOUD, asked.name, asked.target, error.status, error.code)
                return wire.refusal(error, asked)
        except CloudError as error:
            return wire.refusal(error, None)
        return aws.request(request)

    return face(answer)


def _judge(aws: Aws, role: str, asked: wire.Asked) -> None:
    denied = access.refused(aws, role, needs_of(aws, asked))
    if denied:
        status, code = (403, "UnauthorizedOperation") if asked.service == "ec2" else (400, "AccessDeniedException")
        user = f"arn:aws:sts::{aws.scenario.account}:assumed-role/{role}"
        raise CloudError(status, code, f"User: {user} is not authorized to perform: {denied}")


def _signature(request: Request, told: re.Match[str], session: Session, names: list[str], stamp: str) -> str:
    url = f"https://{request.headers.get('Host')}{request.target}"
    signed = {name: request.headers.get(name) or "" for name in names}
    again = AWSRequest(method=request.method, url=url, data=request.body, headers=signed)
    again.context["timestamp"] = stamp
    keys = Credentials(session.access_key, session.secret_key, session.token)
    signer = SigV4Auth(keys, told["service"], told["region"])
    return str(signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again))
