"""The workflows of this repository, linted and rehearsed."""
