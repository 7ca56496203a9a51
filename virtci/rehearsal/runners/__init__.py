"""On-demand runners in simulated time: the real launcher, many at once, in a small world that refuses what clouds refuse."""
