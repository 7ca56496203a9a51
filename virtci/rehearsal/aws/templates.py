"""Launch templates, resolved as RunInstances does: what the call says goes before what the template says.

Source: AWS EC2 User Guide, "Launch instances using a launch template"; tags and block devices are put together by key and
by device, everything else is taken whole.
"""

from typing import Any

from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

UNTOUCHED = ("LaunchTemplate", "MinCount", "MaxCount", "ClientToken", "DryRun")


def resolved(backend: Any, parameters: Values) -> Values:
    """The parameters of a call with those of its launch template, if it names one."""
    named = parameters.get("LaunchTemplate")
    if not named:
        return parameters
    template = _version(backend, named)
    found = {**template, **parameters}
    for name, key in (("TagSpecifications", "ResourceType"), ("BlockDeviceMappings", "DeviceName")):
        if name in template and name in parameters:
            found[name] = _together(template[name], parameters[name], key)
    if "NetworkInterfaces" in found and "SubnetId" in found:
        text = "Network interfaces and an instance-level subnet ID may not be specified on the same request"
        raise CloudError(400, "InvalidParameterCombination", text)
    return found


def _version(backend: Any, named: Values) -> Values:
    from moto.core.exceptions import ServiceException

    try:
        if "LaunchTemplateId" in named:
            template = backend.get_launch_template(named["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(named["LaunchTemplateName"])
        data = template.get_version(named.get("Version", "$Default")).data
    except ServiceException as error:
        raise CloudError(400, error.code, error.message) from None
    return {name: value for name, value in plain(data).items() if name not in UNTOUCHED and value is not None}


def plain(value: Any) -> Any:
    """Moto's own kinds of dictionaries and texts as plain ones."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _together(first: list[Values], second: list[Values], key: str) -> list[Values]:
    found = {item[key]: item for item in first}
    for item in second:
        before = found.get(item[key], {})
        found[item[key]] = {**before, **item}
        if "Tags" in item:
            tags = {tag["Key"]: tag for tag in (*before.get("Tags", ()), *item["Tags"])}
            found[item[key]]["Tags"] = list(tags.values())
    return list(found.values())
