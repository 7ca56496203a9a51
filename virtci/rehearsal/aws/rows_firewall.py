"""Security groups, with their rules inside."""

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row, only, words
from virtci.rehearsal.aws.things import Thing
from virtci.rehearsal.bridge import Values

GROUP = Thing(
    noun="security_group", id="GroupId", member="", plural="SecurityGroups", kind="security-group",
    sends={"name": "GroupName", "description": "Description", "vpcId": "VpcId"},
    shows={"name": "GroupName", "description": "Description", "vpcId": "VpcId"},
)  # fmt: skip
EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
KNOWN = words("protocol fromPort toPort cidrBlocks description")
Rule = tuple[str, int, int, str, str]
"""Protocol, first and last port, the other end, description."""


def create(calls: Calls, region: str, inputs: Values) -> str:
    """Makes a group and takes the platform's own rule away, as the real provider does."""
    group = GROUP.create(calls, region, inputs)
    calls("ec2", region, "revoke_security_group_egress", GroupId=group, IpPermissions=EVERYTHING)
    return group


def tune(calls: Calls, region: str, group: str, new: Values, old: Values) -> None:
    """Brings the rules up to date."""
    for direction in DIRECTIONS:
        before, after = (_rules(values.get(direction)) for values in (old, new))
        for verb, chosen in (("revoke", before - after), ("authorize", after - before)):
            if chosen:
                permissions = [_permission(rule) for rule in sorted(chosen)]
                calls("ec2", region, f"{verb}_security_group_{direction}", GroupId=group, IpPermissions=permissions)


def read(calls: Calls, region: str, group: str, state: Values) -> Values | None:
    """A group with all rules that are there; those of the state are written as the state writes them."""
    live = GROUP.describe(calls, region, group)
    if live is None:
        return None
    shown: Values = {}
    for direction, member in DIRECTIONS.items():
        rules, known = _live_rules(live[member]), state.get(direction)
        same = known is not None and _rules(known) == rules
        shown[direction] = known if same else [_shown(rule) for rule in sorted(rules)]
    return {**GROUP.properties(live, region, group), **shown}


ROWS: dict[str, Row] = {
    "aws:ec2/securityGroup:SecurityGroup": GROUP.row(
        knows="name description vpcId ingress egress",
        replaces="name description vpcId",
        create=create,
        tune=tune,
        read=read,
        defaults={"description": "Managed by Pulumi", "ingress": [], "egress": []},
    ),
}


def _rules(values: list[Values] | None) -> set[Rule]:
    for item in values or ():
        only(item, KNOWN, "a rule of a security group")
    return {
        (item["protocol"], item["fromPort"], item["toPort"], cidr, item.get("description") or "")
        for item in values or ()
        for cidr in item.get("cidrBlocks") or ()
    }


def _live_rules(permissions: list[Values]) -> set[Rule]:
    """All rules, of any kind of other end: who opens a group to another one must be seen."""
    found: set[Rule] = set()
    for item in permissions:
        for end in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"):
            for source in item.get(end, ()):
                name = next(source[key] for key in ("CidrIp", "CidrIpv6", "GroupId", "PrefixListId") if key in source)
                ports = item.get("FromPort", 0), item.get("ToPort", 0)
                found.add((item["IpProtocol"], *ports, name, source.get("Description", "")))
    return found


def _permission(rule: Rule) -> Values:
    protocol, first, last, cidr, description = rule
    ports = {} if protocol == "-1" else {"FromPort": first, "ToPort": last}
    told = {"Description": description} if description else {}
    return {"IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": cidr, **told}]}


def _shown(rule: Rule) -> Values:
    protocol, first, last, end, description = rule
    told = {"description": description} if description else {}
    return {"protocol": protocol, "fromPort": first, "toPort": last, "cidrBlocks": [end], **told}
