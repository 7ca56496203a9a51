"""The typed configuration of a stack."""
