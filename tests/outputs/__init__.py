"""The output contract, its published schema and its formats."""
