"""The life of on-demand runners, from the request of a workflow run to the last trace of its machine."""
