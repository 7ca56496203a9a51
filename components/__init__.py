"""Pulumi component resources: the only place that registers resources."""
