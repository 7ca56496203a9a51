"""The `virtci` command."""
