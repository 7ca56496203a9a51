"""Run-time work that is not declared."""
