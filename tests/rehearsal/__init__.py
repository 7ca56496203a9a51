"""Tests of the simulated clouds and of rehearsals."""
