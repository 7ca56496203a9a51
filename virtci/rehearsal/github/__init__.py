"""A simulated GitHub: its REST API over HTTP, and the Pulumi provider that calls it."""
