"""Generated documentation is fresh."""
