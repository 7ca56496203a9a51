"""The domain: names, quota, networks, firewall, prices, environments."""
