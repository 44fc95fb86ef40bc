from __future__ import annotations

import threading
import time

import pytest

from poems.scaling.disk.prefetch import prefetched


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("poems-prefetch")]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(prefetched(lambda x: x + 1, range(5))) == [1, 2, 3, 4, 5]
    assert list(prefetched(lambda x: x, [])) == []
    assert threads() == []


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    items = prefetched(lambda x: made.append(x) or x, range(10))
    next(items)
    deadline = time.monotonic() + 5
    while len(made) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1]
    items.close()  # type: ignore[attr-defined]
    assert threads() == []


def test_an_error_surfaces_when_its_item_is_due() -> None:
    def make(x: int) -> int:
        if x == 2:
            raise OSError("the disk is gone")
        return x

    items = prefetched(make, range(4))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
    assert threads() == []


def test_an_interrupt_ends_the_thread() -> None:
    def interrupted() -> None:
        for _ in prefetched(lambda x: x, range(100)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads() == []
