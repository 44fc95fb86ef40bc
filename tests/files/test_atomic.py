from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from poems.files.atomic import atomic_path, write_json, write_text


def test_replaces_the_old_file_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.csv.gz"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".csv.gz")
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["a.csv.gz"]


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_the_contents_are_forced_out_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.txt"
    forced: list[tuple[bool, bool]] = []

    def noted(handle: int) -> None:
        about = os.fstat(handle)
        forced.append((os.path.samestat(about, tmp_path.stat()), target.exists()))

    monkeypatch.setattr(os, "fsync", noted)
    write_text(target, "whole")
    a_file, the_folder = False, True
    assert forced == [(a_file, False), (the_folder, True)]


def test_writing_nothing_creates_nothing(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_makes_the_folders_on_the_way(tmp_path: Path) -> None:
    write_text(tmp_path / "x" / "y" / "a.txt", "é\n")
    assert (tmp_path / "x" / "y" / "a.txt").read_bytes() == "é\n".encode()


def test_json_round_trip_and_no_infinity(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"β": [1, 2.5, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"β": [1, 2.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("inf")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"β": [1, 2.5, None]}
