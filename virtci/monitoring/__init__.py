"""What is measured in a cluster with KubeVirt: scrape configuration, rules, dashboard, and the benchmark's verdict."""
