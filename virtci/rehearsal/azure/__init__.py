"""A simulated Azure: Resource Manager behind the provider protocol and behind HTTP."""
