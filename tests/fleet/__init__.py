"""Tests of what runs while the fleet does."""
