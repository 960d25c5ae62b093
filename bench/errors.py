"""The one error of the benchmarks."""


class BenchError(Exception):
    """Something that the person at the keyboard can put right; the message is one clear line and says how."""
