"""The highest memory of this process, over a stretch of work where the system can tell."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak_memory() -> None:
    """Let :func:`peak_memory_mb` count from here, on Linux; elsewhere it counts from the start."""
    try:
        _FORGET.write_text("5")
    except OSError:
        return


def memory_mb() -> float | None:
    """Return the resident memory now in MB (2^20 bytes), or ``None`` where it is not told."""
    return _status("VmRSS")


def peak_memory_mb() -> float | None:
    """Return the highest resident memory in MB (2^20 bytes), or ``None`` where it is not told."""
    highest = _status("VmHWM")
    if highest is not None:
        return highest
    try:
        import resource
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


def _status(field: str) -> float | None:
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    except OSError:
        return None
    return None
