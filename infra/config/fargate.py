"""The task sizes that Fargate has."""

from __future__ import annotations

MEMORY_MIB = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""Memory in MiB that goes with CPU units."""
UNITS_PER_VCPU = 1024


def workers(cpu: int) -> int:
    """Worker processes for a task of that many CPU units: one for each vCPU, so that a bigger task does more work."""
    return max(1, cpu // UNITS_PER_VCPU)
