"""The workflow of a repository with on-demand runners, run for real on what a rehearsal deployed."""
