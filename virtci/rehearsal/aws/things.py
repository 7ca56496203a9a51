"""A kind of thing in EC2 that is made, shown, tagged and deleted like most others; the table of rows says how it differs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import (
    Create,
    Delete,
    Read,
    Row,
    Update,
    found,
    nothing,
    removed,
    retag,
    tagged,
    tags_of,
    words,
)
from virtci.rehearsal.bridge import Values

Shown = str | Callable[[Values], Any]
"""A member of the service's description, or what is made of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """What the API calls it. `noun` is in the operations' names, `sends` and `shows` tie properties to the API's members."""

    noun: str
    id: str
    member: str
    """Its member in the answer of its creation; empty where the id stands at the top."""
    plural: str
    """The member with descriptions."""
    kind: str
    """What tags and ARNs call it."""
    sends: Mapping[str, str] = field(default_factory=dict)
    shows: Mapping[str, Shown] = field(default_factory=dict)
    create_by: str = ""
    describe_by: str = ""
    delete_by: str = ""

    def create(self, calls: Calls, region: str, inputs: Values) -> str:
        """Makes it, with its tags."""
        sent = {member: inputs.get(name) for name, member in self.sends.items()}
        operation = self.create_by or f"create_{self.noun}"
        made = calls("ec2", region, operation, **sent, TagSpecifications=tagged(self.kind, inputs))
        return str((made[self.member] if self.member else made)[self.id])

    def describe(self, calls: Calls, region: str, item: str) -> Values | None:
        """The service's description of it."""
        operation = self.describe_by or f"describe_{self.noun}s"
        return found(lambda: calls("ec2", region, operation, **{f"{self.id}s": [item]}), self.plural)

    def read(self, calls: Calls, region: str, item: str, _: Values) -> Values | None:
        """Its properties, or nothing when it is gone."""
        live = self.describe(calls, region, item)
        return None if live is None else self.properties(live, region, item)

    def properties(self, live: Values, region: str, item: str) -> Values:
        """The properties in a description."""
        told = {name: live.get(by) if isinstance(by, str) else by(live) for name, by in self.shows.items()}
        owner = (
            {"ownerId": live["OwnerId"], "arn": self.arn(live["OwnerId"], region, item)} if "OwnerId" in live else {}
        )
        return {**told, **owner, **tags_of(live)}

    def arn(self, owner: str, region: str, item: str) -> str:
        """Its ARN."""
        return f"arn:aws:ec2:{region}:{owner}:{self.kind}/{item}"

    def delete(self, calls: Calls, region: str, item: str, _: Values) -> None:
        """Deletes it; what is gone already is fine."""
        operation = self.delete_by or f"delete_{self.noun}"
        removed(lambda: calls("ec2", region, operation, **{self.id: item}))

    def row(
        self,
        *,
        knows: str,
        replaces: str = "",
        computed: tuple[str, ...] = ("arn", "ownerId", "tagsAll"),
        create: Create | None = None,
        tune: Update = nothing,
        finish: Update | None = None,
        read: Read | None = None,
        delete: Delete | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> Row:
        """Its row. `tune` brings what is no tag up to date; of what is new as well, unless there is a `finish`."""

        def update(calls: Calls, region: str, item: str, new: Values, old: Values) -> None:
            tune(calls, region, item, new, old)
            retag(calls, region, item, new, old)

        return Row(
            knows=words(f"{knows} tags region"),
            replaces=words(f"{replaces} region"),
            computed=computed,
            create=create or self.create,
            finish=finish or tune,
            read=read or self.read,
            update=update,
            delete=delete or self.delete,
            defaults=defaults or {},
        )
