"""Links inside an HDF5 file: all of them looked at before any is followed."""

from __future__ import annotations

from typing import Any

_DEEPEST, _MOST = 32, 250_000


class Refused(Exception):  # noqa: N818 - becomes a ReadError with the same text
    """A file is not to be read; the text says why."""


class Links:
    """The links of a file, as a graph of its groups.

    Hard links are followed first. Only once it is sure that none leads out of
    the file are soft ones, which may pass over others, resolved.

    Parameters
    ----------
    file
        An open ``h5py.File``.
    where
        Its path, for messages.
    """

    def __init__(self, file: Any, where: str) -> None:
        self._file, self._where = file, where
        # Address of a group -> addresses of the groups that it leads to.
        self._below: dict[int, list[int]] = {}
        self._soft: list[tuple[int, Any, bytes, str]] = []

    def check(self) -> None:
        """Raise unless every link leads to something in this file, and none back up.

        Raises
        ------
        Refused
            If a link leads to another file, nowhere or in a circle, if values
            lie in other files, or if there are too many links.
        """
        root = self._file["/"].id
        self._hard(root)
        for parent, group, name, path in self._soft:
            self._resolve(parent, group, name, path)
        self._require_tree(_address(root, b"."))

    def _hard(self, root: Any) -> None:
        waiting, seen = [(root, "", 0)], 0
        self._below[_address(root, b".")] = []
        while waiting:
            group, path, depth = waiting.pop()
            own = _address(group, b".")
            for name in group:
                seen += 1
                inside = f"{path}/{name.decode('utf-8', 'replace')}".lstrip("/")
                if seen > _MOST or depth > _DEEPEST:
                    raise self._error(
                        inside, f"is beyond {_MOST} links or {_DEEPEST} levels", "write it again"
                    )
                child = self._link(group, own, name, inside)
                if child is not None:
                    waiting.append((child, inside, depth + 1))

    def _link(self, group: Any, own: int, name: bytes, path: str) -> Any:
        """Look at one link; return the group that is seen there for the first time."""
        from h5py import h5d, h5g, h5l, h5o

        kind = group.links.get_info(name).type
        if kind == h5l.TYPE_SOFT:
            self._soft.append((own, group, name, path))
            return None
        if kind != h5l.TYPE_HARD:
            raise self._other_file(path, "is a link that takes its values from other files")
        address = _address(group, name)
        known = address in self._below
        if known:
            self._below[own].append(address)
            return None
        found = h5o.open(group, name)
        if isinstance(found, h5d.DatasetID):
            self._require_here(found, path)
        if not isinstance(found, h5g.GroupID):
            return None
        self._below[own].append(address)
        self._below[address] = []
        return found

    def _require_here(self, array: Any, path: str) -> None:
        from h5py import h5d

        plist = array.get_create_plist()
        if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count():
            raise self._other_file(path, "takes its values from other files")

    def _resolve(self, parent: int, group: Any, name: bytes, path: str) -> None:
        try:
            address = _address(group, name)
        except (KeyError, RuntimeError, OSError):
            target = group.links.get_val(name).decode("utf-8", "replace")
            raise self._error(
                path,
                f"is a link to {target[:80]!r}, which is not in the file",
                "put the values there, or remove the link",
            ) from None
        if address in self._below:
            self._below[parent].append(address)

    def _require_tree(self, root: int) -> None:
        """Refuse circles: a group that can be reached from itself."""
        open_, done = {root}, set()
        stack = [(root, iter(self._below[root]))]
        while stack:
            group, rest = stack[-1]
            child = next(rest, None)
            if child is None:
                stack.pop()
                open_.discard(group)
                done.add(group)
            elif child in open_:
                raise self._error("", "holds a group that contains itself", "write it again")
            elif child not in done:
                open_.add(child)
                stack.append((child, iter(self._below[child])))

    def _other_file(self, path: str, what: str) -> Refused:
        return self._error(
            path, what, "poems reads no file but the one it was given, so copy the values into it"
        )

    def _error(self, path: str, what: str, remedy: str) -> Refused:
        place = f"{self._where}, {path}" if path else self._where
        return Refused(f"{place} {what}; {remedy}")


def _address(group: Any, name: bytes) -> int:
    from h5py import h5o

    return int(h5o.get_info(group, name).addr)
