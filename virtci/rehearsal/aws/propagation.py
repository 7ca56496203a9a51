"""What IAM made is not known everywhere at once.

Source: AWS IAM User Guide, "Changes that I make are not always immediately visible".
"""

from typing import TYPE_CHECKING

from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked
from virtci.rehearsal.journal import CloudError

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

SECONDS = 8.0


def profile_changed(aws: "Aws", asked: Asked) -> None:
    """A profile works some time after it got its role."""
    aws.made["profile", asked.parameters["InstanceProfileName"]] = aws.clock.seconds


def role_changed(aws: "Aws", asked: Asked) -> None:
    """A role can be assumed some time after it was made."""
    aws.made["role", asked.parameters["RoleName"]] = aws.clock.seconds


def run(aws: "Aws", asked: Asked) -> Asked:
    """EC2 does not know a profile that was just made, any more than one that is not there."""
    profile = asked.parameters.get("IamInstanceProfile", {})
    name = profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]
    known = {item.name for item in aws.backend("iam", "aws").instance_profiles.values()}
    if name and (name not in known or _is_young(aws, "profile", name)):
        text = f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        raise CloudError(400, "InvalidParameterValue", text)
    return asked


def schedule(aws: "Aws", asked: Asked) -> Asked:
    """EventBridge Scheduler cannot assume a role that was just made."""
    if _is_young(aws, "role", asked.parameters["Target"]["RoleArn"].rsplit("/", 1)[-1]):
        text = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        raise CloudError(400, "ValidationException", text)
    return asked


HOOKS = Hooks(
    before={"ec2:RunInstances": run, "scheduler:CreateSchedule": schedule, "scheduler:UpdateSchedule": schedule},
    after={
        "iam:AddRoleToInstanceProfile": profile_changed,
        "iam:CreateInstanceProfile": profile_changed,
        "iam:CreateRole": role_changed,
    },
)


def _is_young(aws: "Aws", kind: str, name: str) -> bool:
    made = aws.made.get((kind, name))
    return made is not None and aws.clock.seconds - made < SECONDS
