"""The output contract: schema, formats, reader."""
