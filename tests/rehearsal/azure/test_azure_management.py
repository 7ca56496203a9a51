"""Logs, shutdown schedules, budgets, throttling."""

import pytest

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud, refused
from virtci.rehearsal.bridge import Values


@pytest.fixture
def grouped(cloud: Cloud) -> Cloud:
    cloud.group()
    return cloud


def workspace(cloud: Cloud) -> str:
    return cloud.create("operationalinsights:Workspace", workspaceName="logs")[0]


def test_a_workspace_has_a_customer_id(grouped: Cloud) -> None:
    properties = grouped.get(workspace(grouped))["properties"]
    assert len(properties["customerId"]) == 36
    assert properties["retentionInDays"] == 30


def setting(cloud: Cloud, target: str, **more: object) -> tuple[str, Values]:
    inputs: Values = {"logs": [{"categoryGroup": "audit", "enabled": True}]}
    return cloud.create("monitor:DiagnosticSetting", resourceUri=target, name="audit", **(inputs | more))


def test_a_diagnostic_setting_hangs_on_its_resource(grouped: Cloud) -> None:
    vault = grouped.vault()
    made, _ = setting(grouped, vault, workspaceId=workspace(grouped))
    assert made == f"{vault}/providers/Microsoft.Insights/diagnosticSettings/audit"
    grouped.delete(vault)
    assert not grouped.exists(made)


def test_a_diagnostic_setting_of_nothing_is_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        setting(grouped, f"{GROUP}/providers/Microsoft.KeyVault/vaults/missing", workspaceId=workspace(grouped))
    assert refusal.said == (404, "ResourceNotFound")


@pytest.mark.parametrize("more", [{}, {"logs": []}])
def test_a_diagnostic_setting_without_sink_or_source_is_refused(grouped: Cloud, more: Values) -> None:
    vault = grouped.vault()
    sink = {"workspaceId": workspace(grouped)} if more else {}
    with refused() as refusal:
        setting(grouped, vault, **more, **sink)
    assert refusal.said == (400, "BadRequest")


def test_a_diagnostic_setting_into_nothing_is_refused(grouped: Cloud) -> None:
    missing = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/missing"
    with refused() as refusal:
        setting(grouped, grouped.vault(), workspaceId=missing)
    assert refusal.said == (404, "NotFound")


def schedule(cloud: Cloud, machine: str, **more: object) -> tuple[str, Values]:
    inputs: Values = {
        "name": "shutdown-computevm-vm",
        "targetResourceId": machine,
        "taskType": "ComputeVmShutdownTask",
        "dailyRecurrence": {"time": "1900"},
    }
    return cloud.create("devtestlab:GlobalSchedule", **(inputs | more))


def test_a_machine_gets_its_shutdown_schedule(cloud: Cloud) -> None:
    machine, _ = cloud.machine()
    _, outputs = schedule(cloud, machine)
    assert (outputs["status"], outputs["timeZoneId"]) == ("Enabled", "UTC")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": "shutdown-vm"}, "InvalidScheduleName"),
        ({"targetResourceId": GROUP}, "InvalidScheduleTarget"),
        ({"taskType": "LabVmsShutdownTask"}, "InvalidScheduleTaskType"),
        ({"dailyRecurrence": {"time": "19:00"}}, "InvalidScheduleTime"),
    ],
)
def test_a_schedule_that_would_not_shut_down_is_refused(cloud: Cloud, more: Values, code: str) -> None:
    machine, _ = cloud.machine()
    with refused() as refusal:
        schedule(cloud, machine, **more)
    assert refusal.said == (400, code)


def test_a_schedule_for_a_machine_that_is_not_there_is_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        schedule(grouped, f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm")
    assert refusal.said == (404, "NotFound")


def budget(cloud: Cloud, **more: object) -> tuple[str, Values]:
    notification = {"enabled": True, "operator": "GreaterThan", "threshold": 80, "contactEmails": ["ci@example.org"]}
    inputs: Values = {
        "scope": GROUP,
        "budgetName": "monthly",
        "amount": 500,
        "category": "Cost",
        "timeGrain": "Monthly",
        "timePeriod": {"startDate": "2026-01-01T00:00:00Z"},
        "notifications": {"actual": notification},
    }
    return cloud.create("consumption:Budget", **(inputs | more))


def test_a_budget_watches_a_group_or_a_subscription(grouped: Cloud) -> None:
    assert budget(grouped)[0] == f"{GROUP}/providers/Microsoft.Consumption/budgets/monthly"
    assert budget(grouped, scope=SUBSCRIPTION)[1]["currentSpend"]["amount"] == 0.0


SILENT = {"enabled": True, "operator": "GreaterThan", "threshold": 80, "contactEmails": []}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"amount": 0}, "greater than zero"),
        ({"timePeriod": {"startDate": "2026-01-02T00:00:00Z"}}, "first of a month"),
        ({"timePeriod": {"startDate": "January"}}, "is not a date"),
        ({"timePeriod": {"startDate": "2026-02-01T00:00:00Z", "endDate": "2026-01-01T00:00:00Z"}}, "after its start"),
        ({"notifications": {"actual": SILENT}}, "no contact email"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(grouped: Cloud, more: Values, text: str) -> None:
    with refused() as refusal:
        budget(grouped, **more)
    assert refusal.error.status == 400
    assert text in refusal.error.message


def spend(cloud: Cloud, method: str, count: int) -> list[int]:
    """Answers to requests that cost a token and no time."""
    target = f"{GROUP}/providers/Microsoft.Sql/servers/s"
    return [cloud.request(method, target).status for _ in range(count)]


@pytest.mark.parametrize(("method", "size", "refill"), [("PUT", 200, 10), ("GET", 250, 25), ("DELETE", 200, 10)])
def test_each_bucket_has_its_size_and_its_refill(cloud: Cloud, method: str, size: int, refill: int) -> None:
    assert 429 not in spend(cloud, method, size)
    assert spend(cloud, method, 1) == [429]
    cloud.clock.advance(1)
    assert spend(cloud, method, refill + 1).count(429) == 1


def test_a_throttled_answer_says_when_to_come_back(cloud: Cloud) -> None:
    spend(cloud, "PUT", 200)
    response = cloud.request("PUT", GROUP, {"location": "westus"})
    assert response.headers["Retry-After"] == "1"
    assert (response.body or {})["error"]["code"] == "SubscriptionRequestsThrottled"


def test_principals_have_buckets_of_their_own(cloud: Cloud) -> None:
    spend(cloud, "PUT", 200)
    assert cloud.manager.request("PUT", GROUP, {"location": "westus"}, principal="other").status == 201


def test_the_provider_waits_out_the_throttling(cloud: Cloud) -> None:
    spend(cloud, "PUT", 200)
    cloud.group()
    assert cloud.clock.seconds == 20 + 2
