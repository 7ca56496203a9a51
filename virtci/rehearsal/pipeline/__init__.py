"""Workflows, run for real by `act` on this machine against the rehearsal's clouds."""
