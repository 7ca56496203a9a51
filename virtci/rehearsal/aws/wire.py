"""Calls to AWS as they travel, read and written by the services' published models (botocore)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.serialize import create_serializer
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request as MotoRequest
from moto.core.request import determine_request_protocol, normalize_request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from virtci.rehearsal.azure.server import Plain, Request
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")
RESPONSES = {
    "ec2": ("moto.ec2.responses", "EC2Response"),
    "iam": ("moto.iam.responses", "IamResponse"),
    "scheduler": ("moto.scheduler.responses", "EventBridgeSchedulerResponse"),
    "servicequotas": ("virtci.rehearsal.aws.quotas", "QuotasResponse"),
    "ssm": ("moto.ssm.responses", "SimpleSystemManagerResponse"),
    "sts": ("moto.sts.responses", "TokenResponse"),
}
"""The services that there are, as requests are signed for them, and moto's class for each."""
MODELS = {"servicequotas": "service-quotas"}
"""Services whose model has another name."""
GLOBAL = ("iam",)
ACCOUNT_HEADER = "x-moto-account-id"
UNSENT = ("host", "connection", "content-length", "accept-encoding")


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: what is asked of which service, and the request that says so."""

    service: str
    region: str
    operation: str
    parameters: Values
    model: OperationModel
    sent: AWSPreparedRequest

    @property
    def name(self) -> str:
        """`service:Operation`, as the call log has it."""
        return f"{self.service}:{self.operation}"

    @property
    def target(self) -> str:
        """What it is about, for the call log and for patterns of faults: the region, and every name or id."""
        told = [str(value) for name, value in _named(self.parameters)]
        return "/".join([self.region, *told])


def understand(request: Request, account: str) -> Asked:
    """What a request asks for. Raises `CloudError` for an unsigned one, and for what the rehearsal does not know."""
    scope = SCOPE.search(request.headers.get("Authorization") or "")
    if scope is None:
        raise CloudError(403, "MissingAuthenticationToken", "The request is not signed.")
    service, region = scope["service"], scope["region"]
    if service not in RESPONSES:
        raise CloudError(404, "UnknownService", f"The rehearsal does not know the service {service}.")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in UNSENT}
    sent = _prepared(request.method, service, region, request.target, headers, request.body, account)
    heard = normalize_request(sent)
    model, labels = _operation(service, heard)
    protocol = determine_request_protocol(model.service_model, heard.content_type)
    parser = PROTOCOL_PARSERS[protocol](model)
    parameters = parser.parse(
        {
            "method": heard.method,
            "values": heard.values,
            "headers": heard.headers,
            "body": heard.data,
            "url_path": heard.path,
            "url_params": labels,
        }
    )
    return Asked(service, region, model.name, dict(parameters), model, sent)


def warm_up() -> None:
    """Loads what takes seconds to load, so that nobody waits for it later."""
    for service, (module, _) in RESPONSES.items():
        import_module(module)
        get_service_model(MODELS.get(service, service))


def changed(asked: Asked, parameters: Values, account: str) -> Asked:
    """The same call with other parameters."""
    serializer = create_serializer(asked.model.service_model.metadata["protocol"], include_validation=True)
    written = serializer.serialize_to_request(parameters, asked.model)
    body = written["body"]
    if isinstance(body, Mapping):
        body = urlencode(body)
    headers = {**written["headers"], "Authorization": asked.sent.headers["Authorization"]}
    sent = _prepared(written["method"], asked.service, asked.region, written["url_path"], headers, body, account)
    return Asked(asked.service, asked.region, asked.operation, parameters, asked.model, sent)


def dispatch(asked: Asked) -> Plain:
    """Moto's answer."""
    module, name = RESPONSES[asked.service]
    request = normalize_request(asked.sent)
    try:
        found = getattr(import_module(module), name).dispatch(request, request.raw_url, request.headers)
    except NotImplementedError as error:
        raise CloudError(501, "NotImplemented", f"The rehearsal cannot do {asked.operation}: {error}") from None
    except Exception as error:
        raise CloudError(500, "InternalFailure", f"The rehearsal broke in {asked.operation}: {error!r}") from error
    status, headers, body = found
    return plain(int(status), dict(headers), body)


def refusal(error: CloudError, asked: Asked | None) -> Plain:
    """A refusal in the words of the service's protocol."""
    if asked is None:
        return _json_refusal(error)
    code, message = escape(error.code), escape(error.message)
    told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    if asked.service == "ec2":
        return plain(error.status, {}, f"<Response><Errors>{told}</Errors><RequestID>rehearsal</RequestID></Response>")
    if "json" not in asked.model.service_model.protocol:
        return plain(error.status, {}, f"<ErrorResponse>{told}<RequestId>rehearsal</RequestId></ErrorResponse>")
    return _json_refusal(error)


def plain(status: int, headers: Mapping[str, Any], body: str | bytes) -> Plain:
    """An answer as it travels."""
    content = body.encode() if isinstance(body, str) else body
    kept = {str(name): str(value) for name, value in headers.items() if name.lower().startswith("x-amzn")}
    kind = next((str(value) for name, value in headers.items() if name.lower() == "content-type"), "text/xml")
    return Plain(status, None, kept, content=content, kind=kind)


def code_of(answer: Plain) -> str:
    """The error code in an answer; empty for a success."""
    if answer.status < 400:
        return ""
    told = answer.headers.get("x-amzn-errortype") or answer.headers.get("X-Amzn-ErrorType")
    found = re.search(rb'<Code>([^<]+)</Code>|"__type": ?"(?:[^"#]*#)?([^"]+)"', answer.content)
    return told or (next(item.decode() for item in found.groups() if item) if found else "")


def _json_refusal(error: CloudError) -> Plain:
    body = json.dumps({"__type": error.code, "message": error.message})
    return plain(error.status, {"x-amzn-errortype": error.code, "content-type": "application/json"}, body)


def _operation(service: str, request: MotoRequest) -> tuple[OperationModel, Values]:
    model = get_service_model(MODELS.get(service, service))
    if model.protocol.startswith("rest"):
        operation, labels = get_service_router(service).match(request)
        return operation, dict(labels)
    target = request.headers.get("X-Amz-Target") or ""
    return model.operation_model(request.form.get("Action") or target.split(".")[-1]), {}


def _prepared(
    method: str, service: str, region: str, path: str, headers: Mapping[str, str], body: Any, account: str
) -> AWSPreparedRequest:
    host = f"{service}.amazonaws.com" if service in GLOBAL else f"{service}.{region}.amazonaws.com"
    carried = HTTPHeaders()
    for name, value in {**headers, ACCOUNT_HEADER: account}.items():
        carried[name] = value
    return AWSPreparedRequest(method, f"https://{host}{path}", carried, body, stream_output=False)


def _named(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in parameters.items():
        if name.endswith(("Id", "Name", "Arn", "ARN", "InstanceType", "CidrBlock")) and isinstance(value, str):
            found.append((name, value))
        elif name.endswith("Ids") and isinstance(value, list):
            found += [(name, item) for item in value]
    return found
