"""Runner images: their versions, their templates, their scripts."""
