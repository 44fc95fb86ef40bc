"""Folders of results: one writer, old or new at any moment, and nothing of others touched."""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from killing import in_copy, killed_at_every_change

from poems.errors import ReadError, SettingsError, StorageError
from poems.files.locks import LOCK, lock_depth, release_lock, take_lock
from poems.files.markers import CHECKPOINT, read_marker, write_marker
from poems.files.output_folder import (
    added_to_folder,
    claim_folder,
    claimed_folder,
    release_folder,
    release_folders,
    replaced_folder,
    require_free,
    require_space,
)
from poems.files.placing import JOURNAL, MANIFEST, finish_moving, read_manifest

OLD = {"a.csv": "old a", "part/b.csv": "old b", "part/gone.csv": "old"}
NEW = {"a.csv": "new a", "part/b.csv": "new b", "other/c.csv": "new c"}


def write(folder: Path, files: dict[str, str]) -> None:
    with replaced_folder(folder, "survival") as fresh:
        for name, text in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        write_marker(fresh, "survival", {"said": sorted(files.values())})


def contents(folder: Path) -> dict[str, str]:
    """All files but the marker and the list."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path.read_text() for path in paths}
    return {name: text for name, text in names.items() if name not in (MANIFEST, "survival.json")}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    write(folder, OLD)
    (folder / "mine.txt").write_text("mine")
    return folder


def test_a_result_replaces_another_as_a_whole_and_leaves_the_users_files(out: Path) -> None:
    write(out, NEW)
    assert contents(out) == {**NEW, "mine.txt": "mine"}
    assert set(read_manifest(out) or {}) == {*NEW, "survival.json"}
    write(out, {})
    assert contents(out) == {"mine.txt": "mine"}
    assert not (out / "part").exists(), "folders that were emptied go"


def test_a_failure_leaves_the_old_result(out: Path) -> None:
    before = contents(out)

    def fail() -> None:
        with replaced_folder(out, "survival") as fresh:
            (fresh / "a.csv").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(out) == before
    assert read_marker(out, "survival")["said"] == sorted(OLD.values())
    assert not list(out.glob(".poems-*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="takes fork")
def test_whenever_it_is_killed_the_old_result_is_there_or_the_new_one(tmp_path: Path) -> None:
    out, old, seen = tmp_path / "out", tmp_path / "old", set()
    write(old, OLD)
    (old / "mine.txt").write_text("mine")

    def lay(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)

    for _ in killed_at_every_change(lambda: write(out, NEW), out):
        read_marker(out, "survival") if (out / "survival.json").exists() else None
        found = contents(out)
        found = {name: text for name, text in found.items() if not name.startswith(".poems-")}
        said = json.loads((out / "survival.json").read_text()) if found else {}
        assert found in ({}, {"mine.txt": "mine", **OLD}, {"mine.txt": "mine", **NEW})
        if found:
            assert said["complete"] is True
            assert said["said"] == sorted(
                text for name, text in found.items() if name != "mine.txt"
            )
        seen.add(found.get("a.csv"))
        lay(out)
    assert seen == {None, "old a", "new a"}
    write(out, NEW)
    assert not [path for path in out.rglob("*") if path.name.startswith(".poems-")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="takes fork")
def test_an_addition_that_is_killed_is_there_or_not(out: Path) -> None:
    def add() -> None:
        with added_to_folder(out) as fresh:
            (fresh / "x.csv").write_text("x")
            (fresh / "a.csv").write_text("added")

    for _ in killed_at_every_change(add, out):
        read_marker(out, "survival")
        found = contents(out)
        assert (found.get("x.csv"), found["a.csv"]) in ((None, "old a"), ("x", "added"))
        write(out, OLD)
    add()
    assert set(read_manifest(out) or {}) == {*OLD, "x.csv", "survival.json"}


def test_one_of_two_writers_is_refused_and_told_of_the_other(out: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("takes fork")
    ready, wait = os.pipe()
    process = os.fork()
    if not process:
        claim_folder(out, "survival", overwrite=True)
        os.write(wait, b".")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    try:
        for _ in range(20):
            with pytest.raises(SettingsError, match=rf"process {process} on .*: two writers would"):
                claim_folder(out, "survival", overwrite=True)
            with pytest.raises(SettingsError, match="is writing into the folder"):
                require_free(out, "survival", overwrite=True)
            with pytest.raises(SettingsError, match="is writing into"), added_to_folder(out):
                pytest.fail("it was let in")
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    assert contents(out).items() >= OLD.items()


def test_the_lock_of_a_dead_writer_is_taken_over_with_a_word(
    out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def die() -> None:
        claim_folder(out, "survival", overwrite=True)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_copy(die) == -signal.SIGKILL
    assert (out / LOCK).exists()
    with caplog.at_level(logging.WARNING):
        write(out, NEW)
    (record,) = caplog.records
    assert "was left behind by process" in record.getMessage()
    assert "it was taken over" in record.getMessage()
    assert not (out / LOCK).exists()


def test_a_claim_that_is_killed_blocks_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def die() -> None:
        claim_folder(out, "run")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_copy(die) == -signal.SIGKILL
    write(out, NEW)
    assert contents(out) == NEW


def test_a_claim_that_came_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    with claimed_folder(tmp_path / "out", "run") as folder:
        assert folder.is_dir()
    assert not folder.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    claim_folder(empty, "run")
    claim_folder(empty, "run")
    release_folder(empty)
    assert lock_depth(empty), "it was claimed twice"
    release_folders()
    assert not lock_depth(empty)
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "said"), [(errno.ENOTEMPTY, 0), (errno.ENOENT, 0), (errno.EACCES, 1)]
)
def test_an_empty_folder_that_cannot_be_removed_is_said_unless_it_is_anothers(
    code: int,
    said: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(code, os.strerror(code))

    with caplog.at_level(logging.WARNING), claimed_folder(tmp_path / "out", "run"):
        monkeypatch.setattr(Path, "rmdir", refuse)
    assert len(caplog.messages) == said
    assert all("is empty, but cannot be removed: Permission denied" in m for m in caplog.messages)
    assert not lock_depth(tmp_path / "out")


def test_a_file_of_the_user_in_the_way_is_kept_under_another_name(
    out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (out / "other").mkdir()
    (out / "other" / "c.csv").write_text("my own")
    write(out, NEW)
    assert (out / "other" / "c.csv").read_text() == "new c"
    assert (out / "other" / "c.csv.kept-1").read_text() == "my own"
    assert "is not of POEMS: it was kept as other/c.csv.kept-1" in caplog.text
    write(out, OLD)
    assert (out / "other" / "c.csv.kept-1").read_text() == "my own"


def test_nothing_is_written_or_removed_through_links(out: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("b.csv", "gone.csv"):
        (outside / name).write_text("of another")
        (out / "part" / name).unlink()
    (out / "part").rmdir()
    (out / "part").symlink_to(outside)
    with pytest.raises(SettingsError, match=r"out/part is a link to a folder, and nothing is wri"):
        claim_folder(out, "survival", overwrite=True)
    (out / "part").unlink()
    (out / "part").mkdir()
    (out / "part" / "gone.csv").symlink_to(outside / "gone.csv")
    (out / "a.csv").unlink()
    (out / "a.csv").symlink_to(outside / "b.csv")
    write(out, NEW)
    assert {path.name: path.read_text() for path in outside.iterdir()} == {
        "b.csv": "of another",
        "gone.csv": "of another",
    }
    assert not (out / "a.csv").is_symlink()


def test_a_link_that_appears_meanwhile_is_not_followed(out: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()

    def write_meanwhile() -> None:
        with replaced_folder(out, "survival") as fresh:
            (fresh / "other").mkdir()
            (fresh / "other" / "c.csv").write_text("new")
            write_marker(fresh, "survival", {})
            (out / "other").symlink_to(tmp_path / "outside")

    with pytest.raises(SettingsError, match="is a link, through which nothing is written"):
        write_meanwhile()
    assert not list((tmp_path / "outside").iterdir())
    assert contents(out).items() >= OLD.items()


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname", "part/../../outside.txt", ""])
def test_lists_and_journals_that_lead_out_of_the_folder_are_not_followed(
    out: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside.txt").write_text("of another")
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"][name] = "0"
    (out / MANIFEST).write_text(json.dumps(manifest))
    write(out, NEW)
    assert (tmp_path / "outside.txt").read_text() == "of another"
    for part in (
        {"remove": [name]},
        {"files": [name]},
        {"keep": [["a.csv", name]]},
        {"last": name},
    ):
        journal(out, **part)
        with pytest.raises(StorageError, match=r"leads out of the folder"):
            read_marker(out, "survival")
        assert (tmp_path / "outside.txt").read_text() == "of another"


def journal(out: Path, **parts: object) -> Path:
    """Leave a move behind as a killed process would; return the folder of its files."""
    move = {"staging": ".poems-new-1", "files": [], "remove": [], "keep": [], "last": None}
    (out / JOURNAL).write_text(json.dumps({**move, "meanwhile": {}, **parts}))
    return out / ".poems-new-1"


def test_a_journal_is_not_carried_out_through_links(out: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.csv").write_text("of another")
    (out / "other").symlink_to(outside)
    for part in ({"files": ["other/c.csv"]}, {"keep": [["other/c.csv", "other/d.csv"]]}):
        staging = journal(out, **part)
        (staging / "other").mkdir(parents=True, exist_ok=True)
        (staging / "other" / "c.csv").write_text("new")
        with pytest.raises(SettingsError, match=r"out/other is a link, through which nothing"):
            read_marker(out, "survival")
    shutil.rmtree(staging)
    journal(out, files=["c.csv"]).symlink_to(outside)
    with pytest.raises(SettingsError, match=r"\.poems-new-1 is a link, through which nothing"):
        read_marker(out, "survival")
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"c.csv": "of another"}


def test_an_addition_ends_first_what_another_had_begun(out: Path) -> None:
    staging = journal(out, files=["c.csv"])
    staging.mkdir()
    (staging / "c.csv").write_text("of the first")
    with added_to_folder(out) as fresh:
        (fresh / "d.csv").write_text("of the second")
    assert contents(out).items() >= {"c.csv": "of the first", "d.csv": "of the second"}.items()


def test_a_list_that_is_none_is_not_there(out: Path) -> None:
    for files in ("ab", 3, None, ["a"], [[1, "x"]]):
        (out / MANIFEST).write_text(json.dumps({"format": "poems-manifest", "files": files}))
        assert read_manifest(out) is None
    for name in (MANIFEST, "survival.json"):
        (out / name).write_text("[" * 200_000)
    assert read_manifest(out) is None
    with pytest.raises(ReadError, match="is not a POEMS survival"):
        read_marker(out, "survival")


def test_a_claim_on_a_folder_that_is_gone_is_let_go_of(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / "out", "run")
    shutil.rmtree(folder)
    release_folder(folder)
    assert not lock_depth(folder)
    release_folder(claim_folder(folder, "run"))


def test_a_lock_that_a_full_disk_cut_short_is_let_go_of(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(SettingsError, match="cannot be written to"):
            claim_folder(out, "survival", overwrite=True)
    write(out, NEW)
    assert contents(out).items() >= NEW.items()


def test_a_claim_is_taken_back_before_another_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release_and_claim(folder: Path) -> None:
        release_lock(folder)
        take_lock(folder)
        write_marker(folder, "run", {}, complete=False)

    folder = claim_folder(tmp_path / "out", "run")
    monkeypatch.setattr("poems.files.output_folder.release_lock", release_and_claim)
    release_folder(folder)
    assert (folder / "run.json").exists(), "it is the other's"
    release_lock(folder)


@given(
    text=st.binary(max_size=40)
    | st.sampled_from([b"{}", b"[]", b"null", b'{"staging": 3}', b"[" * 9999])
)
def test_a_damaged_journal_is_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    (folder / JOURNAL).write_bytes(text)
    with pytest.raises(StorageError, match=r"is damaged .*; remove it, and repeat the command"):
        finish_moving(folder)


def test_a_full_disk_names_the_file_and_leaves_the_old_result(out: Path) -> None:
    before = contents(out)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(OSError, match="File too large") as caught:
            write(out, {"a.csv": "x" * 2000})
        assert caught.value.errno == errno.EFBIG

    assert in_copy(fill) == 0
    assert contents(out) == before
    assert read_marker(out, "survival")["complete"] is True


def test_space_is_asked_for_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_space(tmp_path, 1000)
    with pytest.raises(SettingsError, match=r"takes at least \d+ MB, and on the disk of"):
        require_space(tmp_path, 1 << 60)

    def quota(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "posix_fallocate", quota)
    with pytest.raises(SettingsError, match="quotas counted in"):
        require_space(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


def test_what_did_not_finish_says_how_to_go_on(tmp_path: Path) -> None:
    write_marker(tmp_path, "run", {}, complete=False)
    with pytest.raises(ReadError, match=r"did not finish; repeat it with `poems fit --overwrite`"):
        read_marker(tmp_path, "run")
    (tmp_path / CHECKPOINT).write_bytes(b"")
    with pytest.raises(ReadError, match=r"go on with it by `poems fit --resume "):
        read_marker(tmp_path, "run")


def test_a_lock_is_one_threads_and_counts(tmp_path: Path) -> None:
    take_lock(tmp_path)
    take_lock(tmp_path)
    release_lock(tmp_path)
    assert lock_depth(tmp_path)
    release_lock(tmp_path)
    assert not lock_depth(tmp_path)
    assert not (tmp_path / LOCK).exists()
    release_lock(tmp_path)


def test_temporary_files_of_the_dead_are_cleared_and_those_of_the_living_are_not(
    out: Path,
) -> None:
    dead = os.fork()
    if not dead:
        os._exit(0)
    os.waitpid(dead, 0)
    (out / "part" / f".poems-tmp-{dead}-1a2b-b.csv").write_text("half")
    (out / f".poems-tmp-{os.getpid()}-1a2b-b.csv").write_text("half")
    (out / ".poems-new-1").mkdir()
    (out / ".hidden").write_text("mine")
    write(out, NEW)
    left = sorted(path.name for path in out.rglob(".*"))
    assert left == [".hidden", f".poems-tmp-{os.getpid()}-1a2b-b.csv"]


def test_what_an_error_cut_short_among_the_last_steps_is_finished_by_who_reads_next(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, target: Path, replace: object = Path.replace) -> object:
        if path.name == "c.csv":
            raise OSError(errno.EIO, "Input/output error")
        return replace(path, target)  # type: ignore[operator]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="Input/output error"):
            write(out, NEW)
    assert read_marker(out, "survival")["said"] == sorted(NEW.values())
    assert contents(out) == {**NEW, "mine.txt": "mine"}
    assert not list(out.glob(".poems-*"))
