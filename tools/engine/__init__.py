"""Gets the engine onto a machine."""
