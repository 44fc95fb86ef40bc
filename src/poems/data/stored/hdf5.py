"""The way into every HDF5 file: its structure is looked through before anything is read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from poems.data.files import existing_file
from poems.data.stored.helper import HELPER, CrashError, NoHelperError
from poems.data.stored.parsed_apart.serve import answer
from poems.errors import ReadError

_MARK = b"\x89HDF\r\n\x1a\n"
# Seconds for any file, and bytes per second beyond: names are read, matrices are not.
_SECONDS, _BYTES_PER_SECOND = 6.0, 20e6


def inspect_hdf5(path: Path, *, whole: bool = False) -> int:
    """Look through the structure of a file, in a process of its own.

    Refused are links and values in other files, virtual datasets, links that
    lead nowhere or in circles, values that are not there (never written,
    chunks missing, beyond the end of the file), and sizes that the bytes there
    cannot hold. Matrices are not read; names and annotations are. Where no
    process can be started, this one looks.

    Parameters
    ----------
    path
        The file.
    whole
        Look for values in all of it, not only in X, obs and var.

    Returns
    -------
    int
        Bytes that the arrays looked at claim, once unpacked.

    Raises
    ------
    ReadError
        If the file is missing, not HDF5, damaged, or takes values from others.
    """
    if not _is_hdf5(existing_file(path)):
        raise ReadError(
            f"{path} is not an HDF5 file, as .h5ad and .h5mu must be; name it by what it is, or "
            "write it again"
        )
    found = json.loads(_answer(path, whole))
    if isinstance(found, str):
        raise ReadError(found)
    return int(found)


def _answer(path: Path, whole: bool) -> bytes:
    seconds = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    plugins = "hdf5plugin" in sys.modules  # filters that the caller has
    question = {
        "path": str(path),
        "folder": str(Path.cwd()),  # this process may have changed it since the other began
        "whole": whole,
        "plugins": plugins,
        "seconds": seconds,
    }
    try:
        HELPER.start()
        # Needed afterwards, and takes longer than the other process needs to start.
        import anndata  # noqa: F401

        return HELPER.ask(question, seconds)
    except NoHelperError:
        # Better unprotected against faults of the library than not to read a sound file.
        return answer({**question, "seconds": None})
    except CrashError:
        raise ReadError(
            f"{path} is damaged in a way that crashes the HDF5 library; copy it again, or write "
            "it again"
        ) from None
    except TimeoutError:
        raise ReadError(
            f"{path} is damaged: its structure was not to the end after {seconds:.0f} seconds, so "
            "it may run in circles; copy it again, or write it again"
        ) from None


def _is_hdf5(path: Path) -> bool:
    """Look for the mark of HDF5, which may stand behind a block of another's at a power of 2."""
    size, at = path.stat().st_size, 0
    try:
        with path.open("rb") as file:
            while at < size:
                file.seek(at)
                if file.read(len(_MARK)) == _MARK:
                    return True
                at = max(512, 2 * at)
    except OSError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror}") from None
    return False
