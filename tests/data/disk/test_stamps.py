"""A file that changes while it is fitted is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import poems
from poems.data.disk.stamps import require_unchanged, stamp
from poems.errors import DataError


def test_a_fit_of_a_file_that_changes_meanwhile_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "rna.parquet"
    cohort = poems.simulate(n_samples=30, n_features=12, seed=0).cohort
    cohort.frame(next(iter(cohort.views))).to_parquet(path)

    def touch(_: object) -> None:
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1000))

    changed = pytest.raises(DataError, match=r"rna\.parquet was changed while values were read")
    with poems.read({"rna": path}, backed=True) as backed, changed:  # type: ignore[attr-defined]
        poems.fit(backed, epochs=2, progress=touch)
    with poems.read({"rna": path}, backed=True) as backed:  # type: ignore[attr-defined]
        assert poems.fit(backed, epochs=2, progress=False).n_active >= 0


@pytest.mark.parametrize("change", ["more", "fewer", "longer", "gone"])
def test_any_change_in_a_folder_changes_its_stamp(change: str, tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    (folder / "X").mkdir(parents=True)
    files = [folder / "zarr.json", folder / "X" / "0.0"]
    for file in files:
        file.write_bytes(b"abc")
    before = {folder: stamp(folder)}
    require_unchanged(before)
    if change == "more":
        (folder / "X" / "0.1").write_bytes(b"")
    elif change == "longer":
        files[1].write_bytes(b"abcd")
    else:
        files[1].unlink()
        if change == "gone":
            files[0].unlink()
    with pytest.raises(DataError, match="was changed"):
        require_unchanged(before)
