"""Prefetching: the next item is made in the background while the present one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


def prefetched(make: Callable[[Key], Item], keys: Iterable[Key]) -> Iterator[Item]:
    """Yield ``make(key)`` for each key; one item is made ahead, in a thread.

    An exception of ``make`` is raised here, when its item is due. However the
    iteration ends, the thread ends with it.

    Examples
    --------
    >>> list(prefetched(lambda x: x * x, [1, 2, 3]))
    [1, 4, 9]
    """
    pending = list(keys)[::-1]
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="poems-prefetch")
    try:
        coming = pool.submit(make, pending.pop()) if pending else None
        while coming is not None:
            item = coming.result()
            coming = pool.submit(make, pending.pop()) if pending else None
            yield item
            del item  # not held while the next one is waited for
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
