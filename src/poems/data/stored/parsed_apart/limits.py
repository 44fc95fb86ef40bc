"""What a process that reads untrusted files may take of memory and time."""

from __future__ import annotations

from pathlib import Path


def limit_memory(most: int) -> None:
    """Let this process take no more address space than so many bytes, and leave no core file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, limit in ((resource.RLIMIT_AS, most), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(what, (limit, hard))


def limit_memory_beyond(more: int) -> None:
    """Let this process take so many bytes more than it has now."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        import resource
    except (OSError, ImportError):  # where it is not told, an absolute limit would be a guess
        return
    limit_memory(pages * resource.getpagesize() + more)


def limit_time(seconds: float) -> None:
    """End this process if it runs in circles and nobody is left to end it."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 2
    if hard == resource.RLIM_INFINITY or limit <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))
