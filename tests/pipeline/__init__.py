"""Tests of the KubeVirt pipeline."""
