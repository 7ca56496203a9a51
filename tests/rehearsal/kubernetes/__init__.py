"""Tests of the rehearsed Kubernetes."""
