"""Launch templates and instances."""

import base64
from typing import Any

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row, camel, found, like, only, pascal, removed, retag, tagged, tags_of, words
from virtci.rehearsal.aws.things import Thing
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

CREATE_SECONDS, DELETE_SECONDS = 600.0, 1_200.0
"""The real provider's patience."""
TEMPLATE = Thing(
    noun="launch_template", id="LaunchTemplateId", member="LaunchTemplate", plural="LaunchTemplates", kind="launch-template",
    shows={"name": "LaunchTemplateName", "latestVersion": "LatestVersionNumber", "defaultVersion": "DefaultVersionNumber"},
)  # fmt: skip
TEMPLATE_DATA = words(
    "blockDeviceMappings cpuOptions imageId instanceInitiatedShutdownBehavior instanceType keyName metadataOptions "
    "tagSpecifications userData vpcSecurityGroupIds"
)
FLAGS = ("encrypted", "deleteOnTermination")
"""Pulumi has them as texts in launch templates."""
INSTANCE = Thing(noun="instance", id="InstanceId", member="", plural="", kind="instance")
MOVED = {
    "ami": "ImageId",
    "instanceType": "InstanceType",
    "subnetId": "SubnetId",
    "keyName": "KeyName",
    "vpcSecurityGroupIds": "SecurityGroupIds",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
}
BLOCKS = {
    "metadataOptions": "MetadataOptions",
    "cpuOptions": "CpuOptions",
    "instanceMarketOptions": "InstanceMarketOptions",
}
GONE = ("shutting-down", "terminated")


def make_template(calls: Calls, region: str, inputs: Values) -> str:
    """Makes a template with its first version."""
    made = calls(
        "ec2",
        region,
        "create_launch_template",
        LaunchTemplateName=inputs["name"],
        LaunchTemplateData=template_data(inputs),
        TagSpecifications=tagged("launch-template", inputs),
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def read_template(calls: Calls, region: str, template: str, state: Values) -> Values | None:
    """A template as its default version says."""
    live = TEMPLATE.describe(calls, region, template)
    if live is None:
        return None
    asked = {"LaunchTemplateId": template, "Versions": [str(live["DefaultVersionNumber"])]}
    versions = calls("ec2", region, "describe_launch_template_versions", **asked)["LaunchTemplateVersions"]
    data = camel(versions[0]["LaunchTemplateData"])
    if "securityGroupIds" in data:
        data["vpcSecurityGroupIds"] = data.pop("securityGroupIds")
    shown = {name: like(state.get(name), value) for name, value in data.items() if name in TEMPLATE_DATA}
    owner = versions[0]["CreatedBy"].split(":")[4]
    return {**TEMPLATE.properties(live, region, template), **shown, "arn": TEMPLATE.arn(owner, region, template)}


def update_template(calls: Calls, region: str, template: str, new: Values, old: Values) -> None:
    """Writes a new version, which becomes the default where the template says so."""
    data = template_data(new)
    if data != template_data(old):
        made = calls(
            "ec2", region, "create_launch_template_version", LaunchTemplateId=template, LaunchTemplateData=data
        )
        if new.get("updateDefaultVersion"):
            version = str(made["LaunchTemplateVersion"]["VersionNumber"])
            calls("ec2", region, "modify_launch_template", LaunchTemplateId=template, DefaultVersion=version)
    retag(calls, region, template, new, old)


def template_data(inputs: Values) -> Values:
    """What a version of a template says."""
    data = {name: value for name, value in inputs.items() if name in TEMPLATE_DATA and value not in (None, [])}
    if "vpcSecurityGroupIds" in data:
        data["securityGroupIds"] = data.pop("vpcSecurityGroupIds")
    data["blockDeviceMappings"] = [
        {**item, "ebs": {name: _flag(name, value) for name, value in item.get("ebs", {}).items()}}
        for item in data.get("blockDeviceMappings", ())
    ]
    sent: Values = pascal({name: value for name, value in data.items() if value != []})
    return sent


def run(calls: Calls, region: str, inputs: Values) -> str:
    """Runs one instance."""
    sent: Values = {member: inputs[name] for name, member in MOVED.items() if inputs.get(name) is not None}
    sent |= {member: pascal(inputs[name]) for name, member in BLOCKS.items() if inputs.get(name)}
    if text := inputs.get("userDataBase64"):
        # The client encodes it again.
        sent["UserData"] = base64.b64decode(text)
    if template := inputs.get("launchTemplate"):
        named = {"id": "LaunchTemplateId", "name": "LaunchTemplateName", "version": "Version"}
        sent["LaunchTemplate"] = {named[name]: value for name, value in template.items()}
    if profile := inputs.get("iamInstanceProfile"):
        sent["IamInstanceProfile"] = {"Name": profile}
    if zone := inputs.get("availabilityZone"):
        sent["Placement"] = {"AvailabilityZone": zone}
    if disk := inputs.get("rootBlockDevice"):
        sent["BlockDeviceMappings"] = [{"DeviceName": _root_device(calls, region, inputs["ami"]), "Ebs": _ebs(disk)}]
    labels = [*(tagged("instance", inputs) or ()), *(tagged("volume", {"tags": inputs.get("volumeTags")}) or ())]
    made = calls("ec2", region, "run_instances", MinCount=1, MaxCount=1, TagSpecifications=labels or None, **sent)
    return str(made["Instances"][0]["InstanceId"])


def await_running(calls: Calls, region: str, instance: str, _new: Values, _old: Values) -> None:
    """Waits until an instance runs."""
    calls.until(lambda: state_of(calls, region, instance), "running", ("pending",), CREATE_SECONDS)


def read_instance(calls: Calls, region: str, instance: str, state: Values) -> Values | None:
    """An instance that is there: running, stopped, or on the way."""
    live = describe_instance(calls, region, instance)
    if live is None or live["State"]["Name"] in GONE:
        return None
    shutdown, text = (
        calls("ec2", region, "describe_instance_attribute", InstanceId=instance, Attribute=name)
        for name in ("instanceInitiatedShutdownBehavior", "userData")
    )
    profile = live.get("IamInstanceProfile", {}).get("Arn", "").rsplit("/", 1)[-1]
    groups = [group["GroupId"] for group in live.get("SecurityGroups", ())]
    owner = live["NetworkInterfaces"][0]["OwnerId"]
    return {
        "ami": live["ImageId"],
        "instanceType": live["InstanceType"],
        "subnetId": live.get("SubnetId"),
        "availabilityZone": live["Placement"]["AvailabilityZone"],
        "iamInstanceProfile": profile or None,
        "vpcSecurityGroupIds": groups,
        "instanceInitiatedShutdownBehavior": shutdown["InstanceInitiatedShutdownBehavior"].get("Value"),
        "userDataBase64": (text.get("UserData") or {}).get("Value"),
        "metadataOptions": like(state.get("metadataOptions", {}), camel(live["MetadataOptions"])),
        "cpuOptions": like(state.get("cpuOptions", {}), camel(live.get("CpuOptions") or {})),
        "rootBlockDevice": like(state.get("rootBlockDevice", {}), _root_volume(calls, region, live)),
        "instanceLifecycle": live.get("InstanceLifecycle"),
        "instanceState": live["State"]["Name"],
        "privateIp": live.get("PrivateIpAddress"),
        "publicIp": live.get("PublicIpAddress"),
        "arn": INSTANCE.arn(owner, region, instance),
        **tags_of(live),
    }


def update_instance(calls: Calls, region: str, instance: str, new: Values, old: Values) -> None:
    """Tags and metadata options can change; for anything else a machine of a run is made anew by whoever wants it."""
    changed = {name: value for name, value in new.items() if value != old.get(name)}
    only(changed, {"tags", "volumeTags", "metadataOptions", "region", "launchTemplate"}, "an instance that is there")
    if "metadataOptions" in changed:
        options = pascal(new["metadataOptions"])
        calls("ec2", region, "modify_instance_metadata_options", InstanceId=instance, **options)
    retag(calls, region, instance, new, old)


def delete_instance(calls: Calls, region: str, instance: str, _: Values) -> None:
    """Terminates an instance and waits until it is."""
    removed(lambda: calls("ec2", region, "terminate_instances", InstanceIds=[instance]))
    on_the_way = ("pending", "running", "stopping", "stopped", "shutting-down")
    calls.until(lambda: state_of(calls, region, instance), "terminated", on_the_way, DELETE_SECONDS)


def describe_instance(calls: Calls, region: str, instance: str) -> Values | None:
    """EC2's description of an instance."""
    group = found(lambda: calls("ec2", region, "describe_instances", InstanceIds=[instance]), "Reservations")
    return group["Instances"][0] if group and group["Instances"] else None


def state_of(calls: Calls, region: str, instance: str) -> str:
    """The state of an instance; one that nobody knows any more was terminated."""
    live = describe_instance(calls, region, instance)
    return str(live["State"]["Name"]) if live else "terminated"


ROWS: dict[str, Row] = {
    "aws:ec2/launchTemplate:LaunchTemplate": Row(
        knows=TEMPLATE_DATA | words("name updateDefaultVersion tags region"),
        replaces=words("name region"),
        computed=("arn", "latestVersion", "defaultVersion", "tagsAll"),
        create=make_template,
        read=read_template,
        update=update_template,
        delete=TEMPLATE.delete,
    ),
    "aws:ec2/instance:Instance": Row(
        knows=frozenset(MOVED | BLOCKS)
        | words(
            "userDataBase64 launchTemplate iamInstanceProfile availabilityZone rootBlockDevice volumeTags tags region"
        ),
        # `cpuOptions` is taken to replace as a whole; of `nestedVirtualization` no source was found.
        replaces=words(
            "ami subnetId availabilityZone keyName cpuOptions instanceMarketOptions launchTemplate.id launchTemplate.name "
            "rootBlockDevice.encrypted rootBlockDevice.kmsKeyId region"
        ),
        computed=("arn", "instanceState", "instanceLifecycle", "privateIp", "publicIp", "tagsAll"),
        create=run,
        finish=await_running,
        read=read_instance,
        update=update_instance,
        delete=delete_instance,
    ),
}


def _flag(name: str, value: Any) -> Any:
    return str(value).lower() == "true" if name in FLAGS else value


def _ebs(disk: Values) -> Values:
    sent: Values = pascal({name: value for name, value in disk.items() if name != "tags"})
    return sent


def _root_device(calls: Calls, region: str, image: str) -> str:
    live = found(lambda: calls("ec2", region, "describe_images", ImageIds=[image]), "Images")
    if live is None:
        raise CloudError(400, "InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
    return str(live["RootDeviceName"])


def _root_volume(calls: Calls, region: str, live: Values) -> Values:
    """The disk that an instance starts from, in Pulumi's words."""
    for device in live.get("BlockDeviceMappings", ()):
        if device["DeviceName"] == live.get("RootDeviceName"):
            volume = calls("ec2", region, "describe_volumes", VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"][0]
            return {
                "deleteOnTermination": device["Ebs"]["DeleteOnTermination"],
                "encrypted": volume["Encrypted"],
                "volumeSize": volume["Size"],
                "volumeType": volume["VolumeType"],
            }
    return {}
