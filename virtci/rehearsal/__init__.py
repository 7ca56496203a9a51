"""Simulated clouds, and the conductor that runs the real engine against them."""
