"""The resource types of IAM."""

import json
from typing import Any
from urllib.parse import unquote

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row, changed_tags, only, removed, tag_list, tags_of, unless_gone, words
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

GLOBAL = "us-east-1"
"""IAM has no region; its calls are signed for this one."""


def iam(calls: Calls, operation: str, **parameters: Any) -> Values:
    """Calls IAM."""
    return calls("iam", GLOBAL, operation, **parameters)


def make_role(calls: Calls, _region: str, inputs: Values) -> str:
    """Makes a role."""
    made = iam(
        calls,
        "create_role",
        RoleName=inputs["name"],
        Path=inputs["path"],
        AssumeRolePolicyDocument=document(inputs["assumeRolePolicy"]),
        Description=inputs.get("description"),
        MaxSessionDuration=inputs["maxSessionDuration"],
        Tags=tag_list(inputs.get("tags")),
    )
    return str(made["Role"]["RoleName"])


def read_role(calls: Calls, _region: str, role: str, state: Values) -> Values | None:
    """A role and who may assume it."""
    live = unless_gone(lambda: iam(calls, "get_role", RoleName=role)["Role"])
    return live and {
        "name": live["RoleName"],
        "path": live["Path"],
        "description": live.get("Description"),
        "maxSessionDuration": live["MaxSessionDuration"],
        "assumeRolePolicy": same_document(state.get("assumeRolePolicy"), live["AssumeRolePolicyDocument"]),
        "arn": live["Arn"],
        "uniqueId": live["RoleId"],
        **tags_of(live),
    }


def update_role(calls: Calls, _region: str, role: str, new: Values, old: Values) -> None:
    """Changes who may assume a role, for how long, and its tags."""
    if document(new["assumeRolePolicy"]) != document(old["assumeRolePolicy"]):
        iam(calls, "update_assume_role_policy", RoleName=role, PolicyDocument=document(new["assumeRolePolicy"]))
    if any(new.get(name) != old.get(name) for name in ("description", "maxSessionDuration")):
        duration = new["maxSessionDuration"]
        iam(calls, "update_role", RoleName=role, Description=new.get("description"), MaxSessionDuration=duration)
    retag(calls, "role", {"RoleName": role}, new, old)


def write_policy(calls: Calls, _region: str, _policy: str, new: Values, _old: Values) -> None:
    """Writes a policy into a role, over what it was."""
    text = document(new["policy"])
    iam(calls, "put_role_policy", RoleName=new["role"], PolicyName=new["name"], PolicyDocument=text)


def put_policy(calls: Calls, region: str, inputs: Values) -> str:
    """A new policy in a role."""
    write_policy(calls, region, "", inputs, {})
    return f"{inputs['role']}:{inputs['name']}"


def read_policy(calls: Calls, _region: str, policy: str, state: Values) -> Values | None:
    """A policy in a role."""
    role, name = policy.split(":")
    live = unless_gone(lambda: iam(calls, "get_role_policy", RoleName=role, PolicyName=name))
    return live and {
        "role": role,
        "name": name,
        "policy": same_document(state.get("policy"), live["PolicyDocument"]),
    }


def delete_policy(calls: Calls, _region: str, policy: str, _: Values) -> None:
    """Takes a policy out of a role."""
    role, name = policy.split(":")
    removed(lambda: iam(calls, "delete_role_policy", RoleName=role, PolicyName=name))


def make_profile(calls: Calls, _region: str, inputs: Values) -> str:
    """Makes an instance profile."""
    tags = tag_list(inputs.get("tags"))
    made = iam(calls, "create_instance_profile", InstanceProfileName=inputs["name"], Path=inputs["path"], Tags=tags)
    return str(made["InstanceProfile"]["InstanceProfileName"])


def fill_profile(calls: Calls, _region: str, profile: str, new: Values, old: Values) -> None:
    """Puts the role into a profile, which holds one."""
    before, after = old.get("role"), new.get("role")
    if before and before != after:
        iam(calls, "remove_role_from_instance_profile", InstanceProfileName=profile, RoleName=before)
    if after and before != after:
        iam(calls, "add_role_to_instance_profile", InstanceProfileName=profile, RoleName=after)
    if old:
        retag(calls, "instance_profile", {"InstanceProfileName": profile}, new, old)


def read_profile(calls: Calls, _region: str, profile: str, _: Values) -> Values | None:
    """A profile and its role."""
    live = unless_gone(lambda: iam(calls, "get_instance_profile", InstanceProfileName=profile)["InstanceProfile"])
    return live and {
        "name": live["InstanceProfileName"],
        "path": live["Path"],
        "role": next((role["RoleName"] for role in live["Roles"]), None),
        "arn": live["Arn"],
        **tags_of(live),
    }


def delete_profile(calls: Calls, _region: str, profile: str, state: Values) -> None:
    """Empties and deletes a profile."""
    if role := state.get("role"):
        asked = {"InstanceProfileName": profile, "RoleName": role}
        removed(lambda: iam(calls, "remove_role_from_instance_profile", **asked))
    removed(lambda: iam(calls, "delete_instance_profile", InstanceProfileName=profile))


def make_issuer(calls: Calls, _region: str, inputs: Values) -> str:
    """Trusts an issuer of tokens."""
    made = iam(
        calls,
        "create_open_id_connect_provider",
        Url=inputs["url"],
        ClientIDList=inputs["clientIdLists"],
        Tags=tag_list(inputs.get("tags")),
    )
    return str(made["OpenIDConnectProviderArn"])


def read_issuer(calls: Calls, _region: str, arn: str, _: Values) -> Values | None:
    """An issuer and the audiences that are taken of it."""
    live = unless_gone(lambda: iam(calls, "get_open_id_connect_provider", OpenIDConnectProviderArn=arn))
    if live is None:
        return None
    url = live["Url"] if live["Url"].startswith("https://") else f"https://{live['Url']}"
    return {"url": url, "clientIdLists": live["ClientIDList"], "arn": arn, **tags_of(live)}


def update_issuer(calls: Calls, _region: str, arn: str, new: Values, old: Values) -> None:
    """Changes tags; moto knows no way to change audiences."""
    only({name: value for name, value in new.items() if value != old.get(name)}, {"tags"}, "an issuer that is there")
    retag(calls, "open_id_connect_provider", {"OpenIDConnectProviderArn": arn}, new, old)


ROWS: dict[str, Row] = {
    "aws:iam/role:Role": Row(
        knows=words("name path description maxSessionDuration assumeRolePolicy tags"),
        replaces=words("name path"),
        computed=("arn", "uniqueId", "tagsAll"),
        create=make_role,
        read=read_role,
        update=update_role,
        delete=lambda calls, _, role, __: removed(lambda: iam(calls, "delete_role", RoleName=role)),
        defaults={"path": "/", "maxSessionDuration": 3600},
    ),
    "aws:iam/rolePolicy:RolePolicy": Row(
        knows=words("name role policy"),
        replaces=words("name role"),
        computed=(),
        create=put_policy,
        read=read_policy,
        update=write_policy,
        delete=delete_policy,
    ),
    "aws:iam/instanceProfile:InstanceProfile": Row(
        knows=words("name path role tags"),
        replaces=words("name path"),
        computed=("arn", "tagsAll"),
        create=make_profile,
        finish=fill_profile,
        read=read_profile,
        update=fill_profile,
        delete=delete_profile,
        defaults={"path": "/"},
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Row(
        knows=words("url clientIdLists tags"),
        replaces=words("url"),
        computed=("arn", "tagsAll"),
        create=make_issuer,
        read=read_issuer,
        update=update_issuer,
        delete=lambda calls, _, arn, __: removed(
            lambda: iam(calls, "delete_open_id_connect_provider", OpenIDConnectProviderArn=arn)
        ),
    ),
}


def document(policy: Any) -> str:
    """A policy document as text, always written alike. Raises `CloudError` for one that is none."""
    try:
        content = json.loads(policy) if isinstance(policy, str) else policy
    except ValueError as error:
        raise CloudError(400, "MalformedPolicyDocument", f"The policy is no JSON: {error}.") from None
    return json.dumps(content, sort_keys=True)


def same_document(known: Any, live: Any) -> Any:
    """The document as the state has it, when the live one says the same."""
    text = document(unquote(live) if isinstance(live, str) else live)
    return known if known is not None and document(known) == text else text


def retag(calls: Calls, what: str, of: Values, new: Values, old: Values) -> None:
    """Brings the tags of something in IAM up to date."""
    gone, fresh = changed_tags(new, old)
    if gone:
        iam(calls, f"untag_{what}", **of, TagKeys=gone)
    if fresh:
        iam(calls, f"tag_{what}", **of, Tags=fresh)
