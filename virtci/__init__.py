"""Continuous integration that needs a hypervisor."""
