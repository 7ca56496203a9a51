"""Each runbook is followed, command by command, as it is written."""
