"""Whether a table fits into memory, asked before it is read."""

from __future__ import annotations

from pathlib import Path

from poems.errors import ReadError

# A table is held as float64, and once more while it is checked.
_BYTES_EACH = 16


def require_memory(
    shape: tuple[int, int],
    where: str,
    available: int | None = None,
    bytes_each: int = _BYTES_EACH,
) -> None:
    """Refuse a table that cannot be held in memory.

    Parameters
    ----------
    shape
        ``(n_samples, n_features)``.
    where
        The place, for messages.
    available
        Bytes; by default what the system says is left. Where it does not say,
        nothing is refused.
    bytes_each
        What a value takes while it is read.

    Raises
    ------
    ReadError
        If the table takes more.

    Examples
    --------
    >>> require_memory((1000, 1000), "X", available=10**9)
    >>> require_memory((10**6, 10**5), "X", available=10**9)
    Traceback (most recent call last):
    poems.errors.ReadError: X of 1000000 samples and 100000 features takes 1600 GB of memory, ...
    """
    left = memory_left() if available is None else available
    needed = shape[0] * shape[1] * bytes_each
    if left is not None and needed > left:
        raise ReadError(
            f"{where} of {shape[0]} samples and {shape[1]} features takes {needed / 1e9:.0f} GB of "
            f"memory, and {left / 1e9:.0f} GB are left; leave the values in the file (--backed, "
            "backed=True), or select features before"
        )


def memory_left() -> int | None:
    """Return the bytes that can still be had, ``None`` where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
