"""The domain in plain Python: no pulumi, no cloud SDK."""
