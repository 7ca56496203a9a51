"""On-demand machines for tests: one of each cloud that boots in a sandbox, and a GitHub that gives it jobs."""

import base64
import gzip
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from components.runner_roles import BOOT_TAGGER, REGISTRATION
from tests.rehearsal.azure.machines import MACHINE_ID, VAULT, grant, open_vault, role, secret
from tests.rehearsal.azure.simulated import GROUP, build
from virtci.boot.on_demand import OnDemandContext, on_demand_boot_text, packed_user_data
from virtci.boot.runner import AgentRelease
from virtci.core.boot_tags import Boot, read_boot
from virtci.core.names import registration_secret
from virtci.core.runners.aws import machine_policy, machine_trust
from virtci.core.runners.boot_record import (
    boot_parameter,
    read_boot_parameter,
    registration_parameter,
)
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.rehearsal.aws import calls
from virtci.rehearsal.aws.cloud import Aws
from virtci.rehearsal.aws.metadata import InstanceMetadata
from virtci.rehearsal.aws.metadata import handler as ec2_metadata_handler
from virtci.rehearsal.aws.scenario import Scenario
from virtci.rehearsal.aws.server import serve
from virtci.rehearsal.aws.sessions import Sessions
from virtci.rehearsal.aws.sessions import handler as machine_handler
from virtci.rehearsal.azure.metadata import Metadata
from virtci.rehearsal.azure.metadata import handler as metadata_handler
from virtci.rehearsal.azure.secrets import Vault, held
from virtci.rehearsal.azure.secrets import handler as vault_handler
from virtci.rehearsal.azure.server import handler as manager_handler
from virtci.rehearsal.azure.vault import set_secret
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import Device
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.exchange import Request
from virtci.rehearsal.github.runners import create_configuration, create_token
from virtci.rehearsal.github.store import GitHubScenario, Job, Owner, Repository, Runner, World
from virtci.rehearsal.github.workflow_runs import open_run, queue_job
from virtci.rehearsal.journal import Journal

OWNER, REPOSITORY = "kontain-org", "km"
VERSION = "2.336.0"
LABEL = "virt-ci-azure-42-1-1-0a1b2c3d"
KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{'A' * 48} somebody@example"
AWS_REGION = "us-east-2"
SENTINEL = "/var/lib/virt-ci/ready"
AGENT = "/opt/actions-runner"
REFUSED = (7, 52, 56)  # curl: not connected, no answer, reset
KVM: Mapping[str, Device] = {"kvm": "opens"}


class Place(ABC):
    """One cloud around one machine, and the GitHub that it belongs to."""

    cloud: Cloud
    slot: str
    secret_name: str
    metadata: Service
    clock: SimulatedClock
    journal: Journal
    link_local: str
    """A fact of the metadata service, and what its root alone may read."""

    def __init__(self, serves: Serves, version: str = VERSION) -> None:
        self.serves, self.version = serves, version
        self.archive = agent.archive(version)
        self.deadline = datetime.now().astimezone() + timedelta(hours=6)
        self._build()
        scenario = GitHubScenario(
            owner=Owner(login=OWNER, id=7),
            repositories=(Repository(name=REPOSITORY, id=70), Repository(name="other", id=71)),
        )
        self.github = Server(World(scenario, self.clock), self.journal)
        with self.github.held() as world:
            self.run = open_run(world, scenario.repositories[0], "CI", 1)
        self.agents = Service(agent.HOSTS, agent.handler(self.github, {version: self.archive}))

    @abstractmethod
    def _build(self) -> None:
        """Makes the cloud, with the rights that the substrate gives and no others."""

    @property
    @abstractmethod
    def services(self) -> list[Service]:
        """All that the machine reaches."""

    @property
    @abstractmethod
    def told(self) -> Boot | None:
        """What the machine tells of its last boot."""

    @abstractmethod
    def publish(self, value: str) -> None:
        """Puts a value where the machine gets its registration."""

    @property
    @abstractmethod
    def registration(self) -> str:
        """What lies there now; `none` where nothing does."""

    @abstractmethod
    def tag(self, **tags: str) -> None:
        """Somebody tags the machine; `_` stands for `-`."""

    @abstractmethod
    def take_back(self) -> None:
        """The platform announces that it takes the machine back."""

    @abstractmethod
    def be_late(self, requests: int) -> None:
        """The metadata service is not ready for some requests."""

    @property
    def runner(self) -> Runner | None:
        """The runner as GitHub has it."""
        return self.github.world.runners.get((70, LABEL))

    @property
    def downloads(self) -> int:
        """How often the archive was asked for."""
        return sum(call.target == agent.download_path(self.version) for call in self.journal.calls)

    @property
    def asked(self) -> int:
        """How often the machine asked for its registration."""
        reads = (("vault", "GET"), ("aws", "ssm:GetParameter"))
        return sum(
            self.secret_name in call.target and (call.cloud, call.operation) in reads
            for call in tuple(self.journal.calls)
        )

    def credential(self) -> str:
        """From GitHub, what registers the runner: a token, or a just-in-time configuration."""
        place = {"owner": OWNER, "repo": REPOSITORY}
        with self.github.held() as world:
            if self.serves is Serves.RUN:
                return str(create_token(world, Request(place)).body["token"])
            body = {"name": LABEL, "runner_group_id": 1, "labels": ["self-hosted", "linux", "x64", LABEL]}
            return str(create_configuration(world, Request(place, body=body)).body["encoded_jit_config"])

    def deliver(self) -> str:
        """A credential, put where the machine gets it."""
        value = self.credential()
        self.publish(value)
        return value

    def job(self, does: str, name: str = "test") -> Job:
        """A job for the runner."""
        with self.github.held() as world:
            return queue_job(world, self.run, name, [LABEL], does)

    def context(self, **more: Any) -> OnDemandContext:
        """What the machine is told."""
        known: dict[str, Any] = {
            "cloud": self.cloud,
            "hostname": "run-1",
            "slot": self.slot,
            "repository_url": f"https://github.com/{OWNER}/{REPOSITORY}",
            "label": LABEL,
            "capability": Capability.KVM_NESTED,
            "serves": self.serves,
            "agent": AgentRelease(self.version, hashlib.sha256(self.archive).hexdigest()),
            "deadline": self.deadline,
            "spot": True,
            "keys": (KEY,),
        }
        return OnDemandContext(**(known | more))

    def text(self, **more: Any) -> str:
        """The boot text of the machine."""
        return on_demand_boot_text(self.context(**more))

    def carried(self, text: str) -> str:
        """A boot text as it reaches the machine."""
        return text


class AzurePlace(Place):
    """A slot in Azure, with the roles of the substrate."""

    cloud = Cloud.AZURE
    slot = "auto-runner-westus-01"
    secret_name = registration_secret(slot)
    link_local = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"

    def _build(self) -> None:
        self.azure = build()
        self.clock, self.journal = self.azure.clock, self.azure.journal
        self.azure.group()
        self.azure.network()
        open_vault(self.azure)
        identity, outputs = self.azure.identity(self.slot)
        assigned = {"type": "UserAssigned", "userAssignedIdentities": [identity]}
        self.azure.machine("vm", identity=assigned, tags={"owner": "ci"})
        self.place = secret(self.azure, self.secret_name, "none", contentType="text/plain")
        for given, scope in ((BOOT_TAGGER, GROUP), (REGISTRATION, self.place)):
            rights = role(self.azure, given.name, actions=list(given.actions), dataActions=list(given.data_actions))
            grant(self.azure, outputs["principalId"], rights, scope)
        self.service = Metadata(self.azure.manager, MACHINE_ID)
        self.metadata = Service((METADATA_ADDRESS,), metadata_handler(self.service), port=80, tls=False)
        vault = Vault(self.azure.manager, VAULT, seconds_per_refusal=60)
        self.vault = Service((f"{VAULT}.vault.azure.net",), vault_handler(vault))
        self.manager = Service(("management.azure.com",), manager_handler(self.azure.manager, 60))

    @property
    def services(self) -> list[Service]:
        return [self.metadata, self.vault, self.manager, self.agents]

    @property
    def told(self) -> Boot | None:
        return read_boot(dict(self.azure.get(MACHINE_ID).get("tags") or {}), "vm")

    def publish(self, value: str) -> None:
        store = self.azure.manager.store
        record = store.get(self.place)
        assert record is not None
        set_secret(store, record, value, {"contentType": "text/plain"}, {"owner": "ci"})

    @property
    def registration(self) -> str:
        return held(self.azure.manager, VAULT, self.secret_name)[-1].value

    def tag(self, **tags: str) -> None:
        record = self.azure.manager.store.get(MACHINE_ID)
        assert record is not None
        more = {name.replace("_", "-"): value for name, value in tags.items()}
        record.body["tags"] = {**(record.body.get("tags") or {}), **more}

    def take_identity(self) -> None:
        """The machine is nobody any more."""
        record = self.azure.manager.store.get(MACHINE_ID)
        assert record is not None
        del record.body["identity"]

    def take_back(self) -> None:
        self.service.preempted = "Mon, 19 Sep 2026 18:29:47 GMT"

    def be_late(self, requests: int) -> None:
        self.service.unready = requests

    def context(self, **more: Any) -> OnDemandContext:
        return super().context(**({"vault_uri": f"https://{VAULT}.vault.azure.net/"} | more))


class Ec2Place(Place):
    """A slot in EC2, with the policy of the substrate."""

    cloud = Cloud.EC2
    slot = f"auto-runner-{AWS_REGION}-01"
    secret_name = registration_parameter(slot)
    link_local = "http://169.254.169.254/latest/meta-data/instance-id"

    def _build(self) -> None:
        self.clock = SimulatedClock()
        self.journal = Journal(self.clock)
        self.aws = Aws(self.clock, self.journal, Scenario(vcpus={AWS_REGION: 64}))
        with self.client("iam") as iam:
            iam.create_role(RoleName=self.slot, AssumeRolePolicyDocument=json.dumps(machine_trust()))
            self._allow(iam)
            iam.create_instance_profile(InstanceProfileName=self.slot)
            iam.add_role_to_instance_profile(InstanceProfileName=self.slot, RoleName=self.slot)
        self.clock.advance(60)
        self.instance = self.launch("")
        self.service = InstanceMetadata(self.aws, AWS_REGION, self.instance, Sessions())
        self.metadata = Service((METADATA_ADDRESS,), ec2_metadata_handler(self.service), port=80, tls=False)
        parameters = machine_handler(self.aws, self.service.sessions)
        self.parameters = Service((f"ssm.{AWS_REGION}.amazonaws.com",), parameters)

    def _allow(self, iam: Any, *, without: str = "") -> None:
        policy = machine_policy(self.aws.scenario.account, AWS_REGION, self.slot)
        policy["Statement"] = [item for item in policy["Statement"] if without not in item["Action"]]
        iam.put_role_policy(RoleName=self.slot, PolicyName="registration", PolicyDocument=json.dumps(policy))

    def forbid(self, action: str) -> None:
        """Takes the statement with an action out of the policy of the machine."""
        with self.client("iam") as iam:
            self._allow(iam, without=action)

    def launch(self, user_data: str) -> str:
        """A new instance of the slot with user data in base64; it is running."""
        with self.client("ec2") as ec2:
            image = ec2.register_image(Name="L0BaseImage", RootDeviceName="/dev/sda1")["ImageId"]
            made = ec2.run_instances(
                ImageId=image,
                InstanceType="m8i.xlarge",
                MinCount=1,
                MaxCount=1,
                UserData=base64.b64decode(user_data),
                IamInstanceProfile={"Name": self.slot},
                MetadataOptions={
                    "HttpTokens": "required",
                    "HttpPutResponseHopLimit": 1,
                    "InstanceMetadataTags": "enabled",
                },
            )
        self.clock.advance(60)
        return str(made["Instances"][0]["InstanceId"])

    def carried(self, text: str) -> str:
        self.instance = self.service.instance_id = self.launch(packed_user_data(text))
        instance = self.aws.backend("ec2", AWS_REGION).get_instance(self.instance)
        return gzip.decompress(base64.b64decode(str(instance.user_data))).decode()

    @contextmanager
    def client(self, service: str) -> Iterator[Any]:
        """A client of the whole account, as the launcher has it."""
        with serve(self.aws) as endpoint:
            yield calls.client(endpoint.url, service, AWS_REGION)

    @property
    def services(self) -> list[Service]:
        return [self.metadata, self.parameters, self.agents]

    def parameter(self, name: str) -> str | None:
        """The value of a parameter."""
        with self.client("ssm") as ssm:
            try:
                return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
            except ssm.exceptions.ParameterNotFound:
                return None

    @property
    def told(self) -> Boot | None:
        text = self.parameter(boot_parameter(self.slot))
        return read_boot_parameter(text, self.instance) if text else None

    def publish(self, value: str) -> None:
        with self.client("ssm") as ssm:
            ssm.put_parameter(
                Name=self.secret_name, Value=value, Type="SecureString", Tier="Intelligent-Tiering", Overwrite=True
            )

    @property
    def registration(self) -> str:
        return self.parameter(self.secret_name) or "none"

    def tag(self, **tags: str) -> None:
        with self.client("ec2") as ec2:
            wanted = [{"Key": name.replace("_", "-"), "Value": value} for name, value in tags.items()]
            ec2.create_tags(Resources=[self.instance], Tags=wanted)

    def take_back(self) -> None:
        self.service.notice = "2026-09-19T18:29:47Z"

    def be_late(self, requests: int) -> None:
        self.service.unready = requests


PLACES = (AzurePlace, Ec2Place)
