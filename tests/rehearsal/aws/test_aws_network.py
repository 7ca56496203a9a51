"""Networks in the simulated AWS: made, read, changed and deleted by the provider, in the order that AWS insists on."""

import pytest

from tests.rehearsal.aws.account import EVERYTHING_OUT, TAGS, TYPES, Account
from virtci.rehearsal.bridge import Change
from virtci.rehearsal.journal import CloudError


def test_what_was_made_is_read_as_it_was_written(account: Account) -> None:
    for made in account.network().values():
        assert account.read(made) == made.outputs
        assert made.outputs.items() >= made.inputs.items()


def test_a_network_goes_in_the_opposite_order_and_nothing_stays(account: Account) -> None:
    account.network()
    assert account.aws.remaining()

    for made in reversed(account.made):
        account.delete(made)
        assert account.read(made) is None
    assert account.aws.remaining() == []


def test_what_is_gone_already_is_deleted_without_a_word(account: Account) -> None:
    vpc = account.make("vpc", cidrBlock="10.71.0.0/16")

    account.delete(vpc)
    account.delete(vpc)

    assert account.read(vpc) is None


@pytest.mark.parametrize("kept", ["internet", "subnet", "endpoint", "firewall"])
def test_a_network_with_something_in_it_is_not_deleted(account: Account, kept: str) -> None:
    vpc = account.make("vpc", cidrBlock="10.71.0.0/16")
    more = {
        "internet": {},
        "subnet": {"cidrBlock": "10.71.0.0/20"},
        "endpoint": {"serviceName": "com.amazonaws.us-east-2.s3", "vpcEndpointType": "Gateway"},
        "firewall": {"name": "machines", "description": "machines"},
    }[kept]
    account.make(kept, vpcId=vpc.id, **more)

    with pytest.raises(CloudError, match="has dependencies") as refused:
        account.delete(vpc)
    assert refused.value.code == "DependencyViolation"


def test_the_way_out_takes_its_time_and_keeps_its_address(account: Account) -> None:
    before = account.aws.clock.seconds
    network = account.network()

    assert account.aws.clock.seconds - before > 60
    assert network["nat"].outputs["publicIp"] == network["address"].outputs["publicIp"]
    with pytest.raises(CloudError, match="in use"):
        account.delete(network["address"])
    with pytest.raises(CloudError, match="mapped public address"):
        account.delete(network["internet"])


def test_the_platforms_own_rule_is_taken_away(account: Account) -> None:
    vpc = account.make("vpc", cidrBlock="10.71.0.0/16")
    firewall = account.make("firewall", name="closed", description="closed", vpcId=vpc.id)

    assert firewall.outputs["egress"] == []


def test_a_rule_that_somebody_added_by_hand_is_seen_and_taken_away(account: Account) -> None:
    firewall = account.network()["firewall"]
    opened = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    account.client("ec2").authorize_security_group_ingress(GroupId=firewall.id, IpPermissions=opened)

    found = account.read(firewall)

    assert found is not None
    assert found["ingress"] == [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}]
    healed = account.provider.update(firewall.kind, firewall.id, firewall.inputs, found)
    assert healed["ingress"] == []


def test_rules_routes_and_tags_are_brought_up_to_date(account: Account) -> None:
    network = account.network()
    https = {**EVERYTHING_OUT, "protocol": "tcp", "fromPort": 443, "toPort": 443}

    firewall = account.update(network["firewall"], egress=[https])
    routes = account.update(network["routes"], routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": network["internet"].id}])
    vpc = account.update(network["vpc"], tags={"owner": "other"}, enableDnsHostnames=False)

    assert firewall.outputs["egress"] == [https]
    assert routes.outputs["routes"] == [{"cidrBlock": "0.0.0.0/0", "gatewayId": network["internet"].id}]
    assert vpc.outputs["tags"] == {"owner": "other"}
    assert vpc.outputs["enableDnsHostnames"] is False


@pytest.mark.parametrize(
    ("what", "path", "replaces"),
    [
        ("vpc", "cidrBlock", True),
        ("vpc", "enableDnsHostnames", False),
        ("subnet", "availabilityZone", True),
        ("subnet", "mapPublicIpOnLaunch", False),
        ("nat", "allocationId", True),
        ("routes", "routes[0].natGatewayId", False),
        ("firewall", "description", True),
        ("firewall", "egress[0].description", False),
        ("endpoint", "routeTableIds[0]", False),
        ("instance", "ami", True),
        ("instance", "tags.owner", False),
        ("instance", "rootBlockDevice.encrypted", True),
        ("instance", "rootBlockDevice.volumeSize", False),
        ("instance", "launchTemplate.name", True),
        ("instance", "launchTemplate.version", False),
        ("template", "name", True),
        ("template", "metadataOptions.httpTokens", False),
        ("role", "path", True),
        ("role", "assumeRolePolicy", False),
        ("schedule", "scheduleExpression", False),
        ("schedule", "groupName", True),
        ("group", "region", True),
    ],
)
def test_the_table_says_what_makes_another_resource(account: Account, what: str, path: str, replaces: bool) -> None:
    assert account.provider.replaces(TYPES[what], Change(path, "update")) is replaces


def test_a_preview_knows_inputs_and_defaults_and_what_was_made_before(account: Account) -> None:
    inputs = {"cidrBlock": "10.71.0.0/16", "tags": TAGS}
    fresh = account.provider.preview(TYPES["vpc"], inputs, None)
    made = account.make("vpc", **inputs)
    known = account.provider.preview(TYPES["vpc"], {**inputs, "enableDnsHostnames": True}, made.outputs)

    assert fresh["enableDnsSupport"] is True
    assert fresh["arn"] != made.outputs["arn"] == known["arn"]
    assert known["tagsAll"] == TAGS
