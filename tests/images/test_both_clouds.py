"""The life of image versions in both clouds: one suite for both sides of the interface."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.images.conftest import IMAGE, REPOSITORY, AwsPlace, Place
from tests.images.versions import names
from virtci.core.problems import Refusal
from virtci.core.runners.images import Seen, State, Version, latest
from virtci.fleet.runners.images import Schedules, agent_release, faults, promote, prune, record, rollback
from virtci.fleet.troubles import asking

NOW = datetime(2026, 9, 30, tzinfo=UTC)
A, B, C, D, E = "2026.07.1", "2026.08.1", "2026.09.1", "2026.09.2", "2026.09.3"
PARTS = {"agent": "2.337.0", "docker": "28.4.0"}


def seen(place: Place, version: str, **change: object) -> Seen:
    found = {"image": IMAGE, "version": version, "cloud": place.images.cloud.value, "parts": PARTS}
    return Seen.read(found | change)


def states(place: Place) -> dict[str, State]:
    return {str(item.version): item.state for item in place.images.versions()}


def newest(place: Place) -> str:
    found = latest(place.images.versions())
    return str(found.version) if found else ""


def test_a_build_is_a_candidate_and_changes_nothing_for_machines(place: Place) -> None:
    place.publish(A, "offered")
    place.publish(B)
    assert states(place) == {A: State.OFFERED, B: State.CANDIDATE}
    assert newest(place) == A


def test_what_the_build_put_in_is_recorded(place: Place) -> None:
    place.publish(A)
    record(place.images, seen(place, A))
    (item,) = place.images.versions()
    assert (item.parts, item.state) == (PARTS, State.CANDIDATE)


def test_a_record_of_another_image_or_version_is_refused(place: Place) -> None:
    place.publish(A)
    for other in (seen(place, A, image="other"), seen(place, A, cloud="nowhere"), seen(place, B)):
        with pytest.raises(Refusal):
            record(place.images, other)
    assert place.images.versions()[0].parts == {}


def test_a_version_whose_canary_passed_is_the_latest(place: Place, schedules: Schedules) -> None:
    place.publish(A, "offered", **PARTS)
    place.publish(B, **PARTS)
    promote(place.images, Version.parse(B), seen(place, B), schedules, NOW)
    assert newest(place) == B
    assert place.images.versions()[-1].parts == PARTS


def test_a_version_whose_canary_saw_something_wrong_stays_a_candidate(place: Place, schedules: Schedules) -> None:
    place.publish(A, "offered", **PARTS)
    place.publish(B, **PARTS)
    with pytest.raises(Refusal, match="docker does not run"):
        promote(place.images, Version.parse(B), seen(place, B, faults=["docker does not run"]), schedules, NOW)
    assert newest(place) == A


def test_a_version_without_a_canary_needs_a_reason(place: Place, schedules: Schedules) -> None:
    place.publish(A, **PARTS)
    with pytest.raises(Refusal, match="nobody says why"):
        promote(place.images, Version.parse(A), " ", schedules, NOW)
    promote(place.images, Version.parse(A), "urgent fix, tried by hand", schedules, NOW)
    assert newest(place) == A


def test_a_version_whose_agent_ends_soon_is_not_offered(place: Place, schedules: Schedules) -> None:
    place.publish(A, agent="2.335.1")
    with pytest.raises(Refusal, match=r"agent 2\.335\.1 gets no jobs since 2026-09-24"):
        promote(place.images, Version.parse(A), "by hand", schedules, NOW)
    assert newest(place) == ""


def test_a_version_that_does_not_tell_its_agent_is_not_offered(place: Place, schedules: Schedules) -> None:
    place.publish(A)
    with pytest.raises(Refusal, match="virtci images record"):
        promote(place.images, Version.parse(A), "by hand", schedules, NOW)


def test_one_command_goes_back_and_another_one_forward_again(place: Place, schedules: Schedules) -> None:
    for version in (A, B, C):
        place.publish(version, "offered", **PARTS)
    chosen, withdrawn = rollback(place.images)
    assert (str(chosen.version), names(withdrawn), newest(place)) == (B, [C], B)
    assert states(place)[C] is State.WITHDRAWN
    promote(place.images, Version.parse(C), seen(place, C), schedules, NOW)
    assert newest(place) == C
    assert str(rollback(place.images, Version.parse(A))[0].version) == newest(place) == A


def test_the_only_offered_version_cannot_be_taken_back(place: Place) -> None:
    place.publish(A, "offered")
    place.publish(B)
    with pytest.raises(Refusal, match=f"it has {A} alone"):
        rollback(place.images)
    assert newest(place) == A


def test_three_versions_are_kept_and_what_is_used(place: Place) -> None:
    for version in (A, B, C, D, E):
        place.publish(version, "offered")
    place.use(A)
    assert names(prune(place.images, dry_run=True)) == [B]
    assert len(place.images.versions()) == 5
    assert names(prune(place.images)) == [B]
    assert names(place.images.versions()) == [A, C, D, E]


def test_an_image_is_good_until_its_agent_ends(place: Place, schedules: Schedules) -> None:
    place.publish(A, "offered", agent="2.337.0")
    assert faults(place.images, schedules, NOW) == []
    place.publish(B, "offered", agent="2.336.0")
    assert faults(place.images, schedules, NOW) == []
    (fault,) = faults(place.images, schedules, NOW, timedelta(days=60))
    assert fault == (
        f"{B} in {place.images.cloud}: agent 2.336.0 gets no jobs from 2026-11-05 on, in 36 days; the limit is 60. "
        "Build a new version and promote it"
    )


def test_an_image_without_versions_is_a_fault_with_its_fix(place: Place, schedules: Schedules) -> None:
    (fault,) = faults(place.images, schedules, NOW)
    assert "it has none at all" in fault
    assert f"make -C cloud/{'azure' if place.images.cloud == 'azure' else 'aws'} {IMAGE}" in fault


def test_versions_of_other_images_are_nobodys_business(azure: Place, aws: Place) -> None:
    azure.publish("1.0.0")
    aws.publish(A)
    assert azure.images.versions() == []
    assert names(aws.images.versions()) == [A]


def test_an_ami_that_is_missing_in_a_region_is_not_ready(aws: AwsPlace) -> None:
    aws.publish(A, "offered")
    region, _, ami = aws.images.versions()[0].ids[-1].partition("/")
    aws.clients[region].deregister_image(ImageId=ami)
    (item,) = aws.images.versions()
    assert (item.ready, newest(aws)) == (False, "")


def test_a_rollback_that_broke_off_between_regions_has_happened(aws: AwsPlace) -> None:
    aws.publish(A, "offered")
    aws.publish(B, "offered")
    region, _, ami = aws.images.versions()[-1].ids[-1].partition("/")
    client = aws.clients[region]
    client.create_tags(Resources=[ami], Tags=[{"Key": "state", "Value": "withdrawn"}])
    assert newest(aws) == A


def test_a_launch_template_uses_its_image(aws: AwsPlace) -> None:
    for version in (A, B, C, D, E):
        aws.publish(version, "offered")
    region, _, ami = aws.images.versions()[0].ids[0].partition("/")
    client = aws.clients[region]
    client.create_launch_template(LaunchTemplateName="runner", LaunchTemplateData={"ImageId": ami})
    assert names(prune(aws.images, dry_run=True)) == [B]


def test_a_terminated_instance_uses_nothing(aws: AwsPlace) -> None:
    aws.publish(A)
    aws.use(A)
    for client in aws.clients.values():
        for group in client.describe_instances()["Reservations"]:
            client.terminate_instances(InstanceIds=[item["InstanceId"] for item in group["Instances"]])
    assert aws.images.used() == set()


def test_the_snapshots_of_a_pruned_ami_go_with_it(aws: AwsPlace) -> None:
    for version in (A, B, C, D):
        aws.publish(version, "offered")
    asked: list[dict[str, object]] = []
    for client in aws.clients.values():
        client.meta.events.register(
            "provide-client-params.ec2.DeregisterImage", lambda params, **_: asked.append(dict(params))
        )
    prune(aws.images)
    assert [item["DeleteAssociatedSnapshots"] for item in asked] == [True, True]


def test_the_agent_that_github_gives_out_comes_with_its_checksum(
    scenario: dict[str, object], request: pytest.FixtureRequest
) -> None:
    scenario["agents"] = {"2.337.0": {"sha256": "a" * 64}, "2.336.0": {"sha256": "b" * 64}}
    github: httpx.Client = request.getfixturevalue("github")
    assert agent_release(github, REPOSITORY) == {"version": "2.337.0", "sha256": "a" * 64}


def test_an_agent_without_a_checksum_is_refused(github: httpx.Client) -> None:
    with pytest.raises(Refusal, match="with its checksum"):
        agent_release(github, REPOSITORY)


def test_a_repository_that_github_does_not_show_is_named(github: httpx.Client) -> None:
    with pytest.raises(Refusal, match="about agents for rehearsal-org/nothing") as refusal:
        agent_release(github, "rehearsal-org/nothing")
    assert "install the GitHub App" in refusal.value.fix


def test_a_refusal_of_aws_has_a_fix() -> None:
    from botocore.exceptions import ClientError, NoCredentialsError

    said: Any = {"Error": {"Code": "UnauthorizedOperation"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    for error, fix in (
        (NoCredentialsError(), "log in: `aws sso login`"),
        (ClientError(said, "DescribeImages"), "give this login its role"),
    ):
        with pytest.raises(Refusal, match="the AMIs in us-east-2") as refusal, asking("the AMIs in us-east-2"):
            raise error
        assert refusal.value.fix.startswith(fix)
