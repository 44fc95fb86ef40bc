"""What is there of a result after a fault: the old one, the new one, or neither."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from poems.data.mudata_io import read_h5mu
from poems.errors import PoemsError
from poems.files.markers import Kind, read_marker
from poems.files.placing import MANIFEST, read_manifest
from poems.runs.folder import read_run

# A file of the user's own beside a result.
NOTE = "mine.txt"


def left(victim: Path, kind: Kind | None, old: Path, new: Path) -> str:
    """Say whose result is there: old, new, or that it is lost."""
    if kind is None:
        for name, source in (("old", old), ("new", new)):
            if victim.is_file() and victim.read_bytes() == source.read_bytes():
                return name
        # The same cohort is not the same bytes in HDF5.
        return "new" if victim.suffix == ".h5mu" and len(read_h5mu(victim).samples) else "lost"
    try:
        read_marker(victim, kind)
    except PoemsError as error:
        return f"lost: {error}"
    found = read_manifest(victim) or {}
    amiss = _amiss(victim, found)
    if amiss:
        return f"lost: {amiss}"
    for name, source in (("old", old), ("new", new)):
        if _but_paths(found) == _but_paths(read_manifest(source) or {}):
            return name
    return "lost: neither"


def _but_paths(manifest: dict[str, str]) -> dict[str, str]:
    # Of reports the page names its folder, of a run its marker says where its inputs lie.
    return {k: v for k, v in manifest.items() if k not in ("report.html", "run.json")}


def left_of_fit(folder: Path, old: dict[str, str], new: dict[str, str]) -> str:
    """Say which run is there; one whose analyses are missing has to say so."""
    try:
        model = read_run(folder).model
    except PoemsError as error:
        return f"lost: {error}"
    found = read_manifest(folder) or {}
    amiss = _amiss(folder, found)
    if amiss:
        return f"lost: {amiss}"
    name, whole = ("old", old) if model.seed == 0 else ("new", new)
    beside = ("run.json", "findings.csv")
    if any(whole.get(k) != v for k, v in found.items() if k not in beside):
        return "lost: files of two runs"
    said = "analysis-missing" in (folder / "findings.csv").read_text()
    if (set(found) == set(whole)) == said:
        return "lost: the findings do not say what is missing"
    return name if not said else f"{name}, analyses missing and said so"


def _amiss(folder: Path, manifest: dict[str, str]) -> str:
    """Return what of a folder is not as its list says."""
    if (folder / NOTE).read_text() != "mine":
        return "the user's file"
    for name, checksum in manifest.items():
        path = folder / name
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != checksum:
            return f"{name} is not whole"
    known = {*manifest, MANIFEST, NOTE, "run.log"}
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    stray = [each for each in files if each not in known and not each.startswith(".poems-")]
    stray = [each for each in stray if "/.poems-" not in each]
    return f"{stray[0]} is of no result" if stray else ""
