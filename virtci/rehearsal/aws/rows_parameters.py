"""The resource types of Parameter Store."""

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row, changed_tags, found, removed, tag_list, tags_of, words
from virtci.rehearsal.bridge import Values

KIND = "Parameter"


def make(calls: Calls, region: str, inputs: Values) -> str:
    """Makes a parameter, and refuses one that is there."""
    calls(
        "ssm", region, "put_parameter",
        Name=inputs["name"], Type=inputs["type"], Value=inputs["value"], Description=inputs.get("description"),
        Tags=tag_list(inputs.get("tags")),
    )  # fmt: skip
    return str(inputs["name"])


def read(calls: Calls, region: str, name: str, _: Values) -> Values | None:
    """A parameter with its value and its tags."""
    wanted = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    known = found(lambda: calls("ssm", region, "describe_parameters", ParameterFilters=wanted), "Parameters")
    live = found(lambda: calls("ssm", region, "get_parameters", Names=[name], WithDecryption=True), "Parameters")
    if known is None or live is None:
        return None
    tags = calls("ssm", region, "list_tags_for_resource", ResourceType=KIND, ResourceId=name)
    return {
        "name": name,
        "type": live["Type"],
        "value": live["Value"],
        "version": live["Version"],
        "arn": live["ARN"],
        "description": known.get("Description"),
        **tags_of({"Tags": tags["TagList"]}),
    }


def update(calls: Calls, region: str, name: str, new: Values, old: Values) -> None:
    """Writes it again where it changed, and brings its tags up to date."""
    if any(new.get(key) != old.get(key) for key in ("value", "description", "type")):
        calls(
            "ssm", region, "put_parameter",
            Name=name, Type=new["type"], Value=new["value"], Description=new.get("description"), Overwrite=True,
        )  # fmt: skip
    gone, fresh = changed_tags(new, old)
    if gone:
        calls("ssm", region, "remove_tags_from_resource", ResourceType=KIND, ResourceId=name, TagKeys=gone)
    if fresh:
        calls("ssm", region, "add_tags_to_resource", ResourceType=KIND, ResourceId=name, Tags=fresh)


def delete(calls: Calls, region: str, name: str, _: Values) -> None:
    """Deletes it; what is gone already is fine."""
    removed(lambda: calls("ssm", region, "delete_parameter", Name=name))


ROWS: dict[str, Row] = {
    "aws:ssm/parameter:Parameter": Row(
        knows=words("name type value description tags region"),
        replaces=words("name region"),
        computed=("arn", "version", "tagsAll"),
        create=make,
        read=read,
        update=update,
        delete=delete,
    ),
}
