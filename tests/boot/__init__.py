"""The boot texts of the machines."""
