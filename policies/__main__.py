"""The policy pack, started by the engine. Nothing may print here: the SDK tells its port on standard output."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies.registry import policies

PolicyPack(name="virt-ci", policies=policies(), enforcement_level=EnforcementLevel.MANDATORY)
