"""The policy pack: one rule per file, each with its `POLICY` and the plain function behind it.

Rules fail closed. A value that decides a rule and is not known before the deployment is a violation, because the
program writes such values itself. Only what the platform hands out (ids of subnets, identities and secrets, keys,
custom roles) may be unknown in a first preview; it is judged in the update, before the resource is made.
"""
