"""On-demand runners in simulated time."""
