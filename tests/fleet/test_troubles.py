"""Whatever a client raises becomes one sentence with a fix; programming errors stay what they are."""

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

from virtci.core.problems import Refusal
from virtci.fleet.troubles import FIREWALL, LOGIN, RIGHTS, UNREACHED, asking


class Answer:
    """What an HTTP error of Azure carries."""

    def __init__(self, status: int, text: str = "") -> None:
        self.status_code, self.reason, self._text = status, "reason", text

    def text(self, *_: object) -> str:
        return self._text

    headers: dict[str, str] = {}  # noqa: RUF012  what the client reads


def said(error: Exception) -> Refusal:
    with pytest.raises(Refusal) as refused, asking("the vault"):
        raise error
    return refused.value


def http(status: int, message: str = "no") -> HttpResponseError:
    error = HttpResponseError(message)
    error.status_code = status
    return error


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (http(401), LOGIN),
        (http(403), RIGHTS),
        (http(403, "(ForbiddenByFirewall) Client address is not authorized"), FIREWALL),
        (http(429), "wait a minute, then run this again"),
        (http(503), "run this again; then look at the service"),
        (ClientAuthenticationError("DefaultAzureCredential failed"), LOGIN),
        (ServiceRequestError("no route to host"), UNREACHED),
        (httpx.ConnectError("refused"), UNREACHED),
        (OSError(2, "No such file"), UNREACHED),
    ],
)
def test_each_kind_of_trouble_has_its_fix(error: Exception, fix: str) -> None:
    assert said(error).fix == fix


def test_the_status_and_the_first_line_are_said_and_no_more() -> None:
    refusal = said(http(403, "(Forbidden) Caller is not authorized\nCaller: appid=1;token=secret"))

    assert refusal.rule == "the vault answers this login"
    assert refusal.consequence == "it said 403: (Forbidden) Caller is not authorized"


def test_a_refusal_and_a_mistake_in_the_program_pass_unchanged() -> None:
    refusal = Refusal("rule", "consequence", "fix")
    assert said(refusal) is refusal
    with pytest.raises(KeyError), asking("the vault"):
        raise KeyError("a mistake")
