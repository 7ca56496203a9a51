"""The sandbox, and what boot texts do in it."""
