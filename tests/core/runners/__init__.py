"""The domain of on-demand runners."""
