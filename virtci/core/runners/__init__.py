"""On-demand runners: what a machine of a workflow run is called, where it may run, how long it lives. Plain Python."""
