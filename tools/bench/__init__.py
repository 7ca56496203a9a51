"""`make bench`: how long the project takes, against its targets and against others in the same run."""
