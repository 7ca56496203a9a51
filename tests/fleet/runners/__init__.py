"""On-demand runners: launchers, leases, sweeps."""
