"""What each call has to be allowed: the actions, the resources and the condition keys, as far as our documents name any.

Source: AWS Service Authorization Reference (ec2, iam, scheduler, ssm, servicequotas), as of 2026-08. An operation that is
not listed is asked for everything, `*`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from virtci.rehearsal.aws import templates
from virtci.rehearsal.aws.access import Need
from virtci.rehearsal.aws.wire import Asked
from virtci.rehearsal.bridge import Values

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

KINDS = {
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "eni": "network-interface",
    "sg": "security-group",
}
"""What ARNs call things of EC2, by the beginning of their ids."""


def needs_of(aws: "Aws", asked: Asked) -> list[Need]:
    """Everything that a call has to be allowed."""
    found = TABLE.get(asked.name, _anything)(aws, asked)
    region = {"aws:RequestedRegion": asked.region}
    return [Need(need.action, need.resource, {**region, **need.context}) for need in found]


def of_run(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """`RunInstances`, once for each thing that it makes or uses, tags them and gives the machine a role."""
    backend = aws.backend("ec2", asked.region)
    wanted = templates.resolved(backend, asked.parameters)
    run, template = "ec2:RunInstances", _template(aws, asked)
    metadata, profile = wanted.get("MetadataOptions", {}), _profile(aws, wanted.get("IamInstanceProfile", {}))
    machine = {
        "ec2:InstanceType": wanted.get("InstanceType", "m1.small"),
        "ec2:MetadataHttpTokens": metadata.get("HttpTokens", "optional"),
        "ec2:MetadataHttpPutResponseHopLimit": str(metadata.get("HttpPutResponseHopLimit", 1)),
        **({"ec2:InstanceProfile": profile.arn} if profile else {}),
    }
    subnet = _arn(aws, asked, f"subnet/{wanted.get('SubnetId', '*')}")
    disks = wanted.get("BlockDeviceMappings") or [{}]
    yield Need(run, _arn(aws, asked, "instance/*"), {**machine, **template, **_asked_tags(wanted, "instance")})
    for disk in disks:
        encrypted = {"ec2:Encrypted": str(disk.get("Ebs", {}).get("Encrypted", False)).lower()}
        yield Need(run, _arn(aws, asked, "volume/*"), {**encrypted, **template, **_asked_tags(wanted, "volume")})
    yield Need(run, _arn(aws, asked, "network-interface/*"), {"ec2:Subnet": subnet, **template})
    yield Need(
        run, f"arn:aws:ec2:{asked.region}::image/{wanted.get('ImageId')}", {"ec2:Owner": _owner(backend, wanted)}
    )
    yield Need(run, subnet)
    for group in wanted.get("SecurityGroupIds", ("default",)):
        yield Need(run, _arn(aws, asked, f"security-group/{group}"))
    if template:
        yield Need(run, template["ec2:LaunchTemplate"])
    if key := wanted.get("KeyName"):
        yield Need(run, _arn(aws, asked, f"key-pair/{key}"))
    for kind in ("instance", "volume"):
        if tags := _asked_tags(wanted, kind):
            yield Need("ec2:CreateTags", _arn(aws, asked, f"{kind}/*"), {"ec2:CreateAction": "RunInstances", **tags})
    if profile:
        yield from _passed([role.arn for role in profile.roles], "ec2.amazonaws.com")


def of_tags(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """`CreateTags` and `DeleteTags`, of each thing as it is tagged now."""
    tags = _tags_in(asked.parameters.get("Tags", ()))
    for item in asked.parameters["Resources"]:
        yield Need(asked.name, _thing(aws, asked, item), {**_present_tags(aws, asked, item), **tags})


def of_instances(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """What is done to instances, each as it is tagged now."""
    one = asked.parameters.get("InstanceId")
    attribute = {"ec2:Attribute": name} if (name := _attribute(asked.parameters)) else {}
    for item in asked.parameters.get("InstanceIds") or ([one] if one else []):
        yield Need(asked.name, _thing(aws, asked, item), {**_present_tags(aws, asked, item), **attribute})


def of_profile(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """`ReplaceIamInstanceProfileAssociation`: another profile for an instance, and its role with it."""
    profile = _profile(aws, asked.parameters["IamInstanceProfile"])
    known = aws.backend("ec2", asked.region).iam_instance_profile_associations.values()
    for item in known:
        if item.id == asked.parameters["AssociationId"]:
            new = {"ec2:NewInstanceProfile": profile.arn} if profile else {}
            instance = item.instance.id
            yield Need(asked.name, _thing(aws, asked, instance), {**_present_tags(aws, asked, instance), **new})
    yield from _passed([role.arn for role in profile.roles] if profile else [], "ec2.amazonaws.com")


def of_parameter(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """What is done to one parameter."""
    name = asked.parameters["Name"]
    yield Need(asked.name, f"arn:aws:ssm:{asked.region}:{aws.scenario.account}:parameter{name}")


def of_schedule(aws: "Aws", asked: Asked) -> Iterator[Need]:
    """What is done to one schedule, which is given a role."""
    group, name = asked.parameters.get("GroupName", "default"), asked.parameters["Name"]
    yield Need(asked.name, f"arn:aws:scheduler:{asked.region}:{aws.scenario.account}:schedule/{group}/{name}")
    if target := asked.parameters.get("Target"):
        yield from _passed([target["RoleArn"]], "scheduler.amazonaws.com")


def _anything(_: "Aws", asked: Asked) -> Iterator[Need]:
    yield Need(asked.name, "*")


TABLE: Mapping[str, Callable[["Aws", Asked], Iterator[Need]]] = {
    "ec2:RunInstances": of_run,
    "ec2:CreateTags": of_tags,
    "ec2:DeleteTags": of_tags,
    "ec2:ReplaceIamInstanceProfileAssociation": of_profile,
    **{
        f"ec2:{name}": of_instances
        for name in (
            "DescribeInstanceAttribute", "GetConsoleOutput", "ModifyInstanceAttribute", "ModifyInstanceMetadataOptions",
            "RebootInstances", "StartInstances", "StopInstances", "TerminateInstances",
        )
    },
    **{f"ssm:{name}Parameter": of_parameter for name in ("Delete", "Get", "Put")},
    **{f"scheduler:{name}Schedule": of_schedule for name in ("Create", "Delete", "Get", "Update")},
}  # fmt: skip


def _passed(roles: list[str], service: str) -> Iterator[Need]:
    for role in roles:
        yield Need("iam:PassRole", role, {"iam:PassedToService": service})


def _arn(aws: "Aws", asked: Asked, resource: str) -> str:
    return f"arn:aws:ec2:{asked.region}:{aws.scenario.account}:{resource}"


def _thing(aws: "Aws", asked: Asked, item: str) -> str:
    return _arn(aws, asked, f"{KINDS.get(item.split('-')[0], 'unknown')}/{item}")


def _template(aws: "Aws", asked: Asked) -> dict[str, str]:
    named = asked.parameters.get("LaunchTemplate", {})
    backend = aws.backend("ec2", asked.region)
    found = named.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(named.get("LaunchTemplateName"))
    return {"ec2:LaunchTemplate": _arn(aws, asked, f"launch-template/{found}")} if found else {}


def _profile(aws: "Aws", named: Values) -> Any:
    name = named.get("Name") or named.get("Arn", "").rsplit("/", 1)[-1]
    return next((item for item in aws.backend("iam", "aws").instance_profiles.values() if item.name == name), None)


def _owner(backend: Any, wanted: Values) -> str:
    found = backend.amis.get(wanted.get("ImageId", ""))
    return str(found.owner_id) if found else ""


def _attribute(parameters: Values) -> str:
    known = {name for name, value in parameters.items() if isinstance(value, Mapping)}
    return next(iter(sorted(known)), "") or str(parameters.get("Attribute", ""))


def _asked_tags(wanted: Values, kind: str) -> Values:
    return _tags_in(
        [
            tag
            for item in wanted.get("TagSpecifications", ())
            if item["ResourceType"] == kind
            for tag in item.get("Tags", ())
        ]
    )


def _tags_in(tags: Any) -> Values:
    found = {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags}
    return {**found, "aws:TagKeys": [tag["Key"] for tag in tags]} if found else {}


def _present_tags(aws: "Aws", asked: Asked, item: str) -> Values:
    tags = aws.backend("ec2", asked.region).tags.get(item, {})
    return {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
