"""Benchmarks: the gateway against its peers, as ratios within one run."""
