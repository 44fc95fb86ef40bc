"""The tables of a cohort that a command is given, or that a run was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from poems.cli.inputs import Samples
from poems.data.formats import READERS, reader_of
from poems.errors import ReadError
from poems.findings import Finding
from poems.steps import step

if TYPE_CHECKING:
    from poems.data import MultiOmics
    from poems.runs.inputs import FoundInput, RunInputs

_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


@dataclass(frozen=True)
class Tables:
    """The tables of a cohort, as they were named; nothing of them is read yet."""

    views: dict[str, Path] | Path
    obs: Path | None
    features_in_rows: bool | list[str]
    layers: str | dict[str, str] | None = None
    # As a run that remembers its tables read them.
    samples: Samples = "union"
    backed: bool = False

    def read(self, *, samples: Samples = "union", backed: bool = False) -> MultiOmics:
        """Read them into a cohort; ``backed`` leaves the values on disk."""
        from poems.data import read

        with step("reading the tables"):
            return read(self.views, obs=self.obs, **self.options(samples=samples, backed=backed))

    def options(self, *, samples: Samples = "union", backed: bool = False) -> dict[str, Any]:
        """Return what :func:`poems.read` is told beside the files.

        What a command asks for wins over how they were read before.
        """
        return {
            "features_in_rows": self.features_in_rows,
            "samples": self.samples if samples == "union" else samples,
            "backed": backed or self.backed,
            "layer": self.layers,
        }


@dataclass(frozen=True)
class TableFlags:
    """What the flags of a command say of the tables of a cohort."""

    files: Sequence[str] | None
    views: Sequence[str] | None
    in_rows: bool
    in_rows_of: Sequence[str] | None
    obs: Path | None
    layers: Sequence[str] | None

    @property
    def name_none(self) -> bool:
        """Whether no table is named."""
        return not self.files and not self.views

    def named(self) -> Tables:
        """Return the tables that they name.

        Raises
        ------
        typer.BadParameter
            If none is named, two are of one name, or a flag names a view that is none.
        """
        tables = parse_views(self.files, self.views)
        in_rows = views_in_rows(self.in_rows, self.in_rows_of, tables)
        return Tables(tables, self.obs, in_rows, _layers(self.layers))

    def existing(self, run: Path | None = None) -> Tables:
        """Return the tables that they name, all of which are there.

        Where they name none, those of the fit of ``run`` are returned, if that is
        given and remembers them.

        Raises
        ------
        typer.BadParameter
            As :meth:`named`.
        ReadError
            If a file does not exist, or one of the fit has moved or changed.
        """
        from poems.data.files import existing_file, require_tables

        if run is not None and self.name_none:
            remembered = tables_of_run(run, obs=self.obs)
            if remembered is not None:
                self._require_tables()
                return remembered

        named = self.named()
        require_tables(named.views)
        if self.obs is not None:
            existing_file(self.obs)
        return named

    def existing_if_any(self) -> Tables | None:
        """Return the tables that they name, or ``None`` where they name none.

        Raises
        ------
        typer.BadParameter, ReadError
            As :meth:`existing`.
        """
        if self.name_none:
            self._require_tables()
            return None
        return self.existing()

    def existing_or_of_run(self, run: Path) -> tuple[Tables | None, tuple[Finding, ...]]:
        """Return the tables that they name, or else those of the fit of ``run``.

        Where those have moved or changed, there are none, and a finding says so.

        Raises
        ------
        typer.BadParameter, ReadError
            As :meth:`existing`, of tables that are named.
        """
        if not self.name_none:
            return self.existing(), ()
        self._require_tables()
        try:
            return tables_of_run(run, obs=self.obs), ()
        except ReadError as error:
            text = f"{error}. What takes the tables is left out"
            return None, (Finding("warning", "tables-of-fit", text),)

    def _require_tables(self) -> None:
        """Refuse flags that say how tables are read where none is given."""
        given = {
            "--features-in-rows": self.in_rows,
            "--features-in-rows-of": self.in_rows_of,
            "--layer": self.layers,
        }
        for flag, value in given.items():
            if value:
                raise typer.BadParameter(
                    f"{flag} says how tables are read, and none is given: leave it out (a run "
                    "reads its own tables as it did), or give the tables by --view NAME=FILE"
                )


def tables_of_run(run: Path, *, obs: Path | None = None) -> Tables | None:
    """Return the tables that a run was fitted to; ``None`` of a model, and of older runs.

    The run has its own copy of the table of the samples, so that this may be gone.

    Raises
    ------
    ReadError
        If a file has moved or changed; the text says which, and how to give it.
    """
    from poems.data.files import existing_file
    from poems.files.markers import read_marker
    from poems.runs.inputs import find_input, read_inputs

    if not run.is_dir():
        return None
    inputs = read_inputs(read_marker(run, "run"), run)
    if inputs is None:
        return None
    if obs is not None:
        existing_file(obs)
    found = {name: find_input(file, run) for name, file in inputs.views.items()}
    if any(each.problem for each in found.values()):
        raise ReadError(_amiss(run, found))
    return _as_read(inputs, {name: each.path for name, each in found.items()}, obs)


def tables_as_then(inputs: RunInputs, run: Path) -> Tables:
    """Return all tables of a fit, that of the samples among them, to fit them again.

    Raises
    ------
    ReadError
        If a file has moved or changed; the text says which.
    """
    from poems.runs.inputs import find_input

    views = {name: find_input(file, run) for name, file in inputs.views.items()}
    obs = None if inputs.obs is None else find_input(inputs.obs, run)
    amiss = _said_amiss(views)
    if obs is not None:
        amiss += _said_amiss({"the table of the samples": obs}, "{}")
    if amiss:
        raise ReadError(
            f"of what {run} was fitted to, {'; '.join(amiss)}. The same fit takes the same "
            "files: put them back, or fit anew to those that there are"
        )
    paths = {name: each.path for name, each in views.items()}
    return _as_read(inputs, paths, None if obs is None else obs.path)


def _as_read(inputs: RunInputs, paths: dict[str, Path], obs: Path | None) -> Tables:
    """Return the tables of a fit as it read them, wherever they lie now."""
    how = inputs.options
    return Tables(
        paths.get("", paths),
        obs,
        how.get("features_in_rows", False),
        _layers_as_read(how.get("layer"), inputs, obs),
        how.get("samples", "union"),
        how.get("backed", False),
    )


def _layers_as_read(
    layers: str | dict[str, str] | None, inputs: RunInputs, obs: Path | None
) -> str | dict[str, str] | None:
    """Leave out the sheet of the table of the samples where another table, or none, is read."""
    if not isinstance(layers, dict) or "obs" in inputs.views:
        return layers
    own = inputs.obs is not None and obs is not None and obs.name == Path(inputs.obs.path).name
    kept = {name: layer for name, layer in layers.items() if name != "obs" or own}
    return kept or None


def _amiss(run: Path, found: Mapping[str, FoundInput]) -> str:
    """Say which tables of a fit are not what they were, and how to give them."""
    flags = [
        f"--view {name}={'FILE' if each.problem == 'moved' else each.path}" if name else "FILE"
        for name, each in found.items()
    ]
    return (
        f"of the tables that {run} was fitted to, {'; '.join(_said_amiss(found))}. Put it back, or "
        f"give the tables to use: {' '.join(flags)}"
    )


def _said_amiss(found: Mapping[str, FoundInput], what: str = "the table of view '{}'") -> list[str]:
    """Say of each file that is not what it was whether it moved or changed."""
    said = []
    for name, each in found.items():
        called = what.format(name) if name else "the file of the cohort"
        if each.problem == "moved":
            said.append(f"{called} is no longer at {each.path}")
        elif each.problem == "changed":
            said.append(f"{called}, {each.path}, is not what it was at the fit")
    return said


def parse_views(files: Sequence[str] | None, views: Sequence[str] | None) -> dict[str, Path] | Path:
    """Return the table of each view, or the one .h5mu file or .zarr folder.

    Raises
    ------
    typer.BadParameter
        If nothing is given, a name is given twice, or ``--view`` lacks one.

    Examples
    --------
    >>> parse_views(["data/mrna.csv.gz"], ["protein=p.tsv"])
    {'mrna': PosixPath('data/mrna.csv.gz'), 'protein': PosixPath('p.tsv')}
    """
    pairs = [_named(text) for text in files or ()]
    for text in views or ():
        name, _, file = text.partition("=")
        # A doubled '=' is a slip, unless the file is called so.
        if not name or not file or (file.startswith("=") and not Path(file).exists()):
            path = Path(text.strip("=").rpartition("=")[2] or "FILE")
            hint = f"{name if file else view_name(path)}={path}" if name else f"mrna={path}"
            raise typer.BadParameter(f"--view takes NAME=FILE, for example --view {hint}")
        pairs.append((name, Path(file)))
    if not pairs:
        raise typer.BadParameter("no table given; pass --view NAME=FILE for each omic")
    if len(pairs) == 1:
        # What is never one view among others is a cohort by itself.
        reader = reader_of(pairs[0][1])
        if reader is not None and reader.table is None:
            return pairs[0][1]
    found: dict[str, Path] = {}
    for name, path in pairs:
        if name in found:
            raise typer.BadParameter(
                f"two tables are named '{name}': {found[name]} and {path}; name them apart with "
                "NAME=FILE"
            )
        found[name] = path
    return found


def view_name(path: Path) -> str:
    """Return the name of a file without folders and known endings.

    Examples
    --------
    >>> view_name(Path("data/mrna.v2.csv.gz"))
    'mrna.v2'
    """
    name = path.name
    packed = Path(name).suffix.lower()
    if packed in _COMPRESSED and len(name) > len(packed):
        name = name[: -len(packed)]
    ending = Path(name).suffix.lower()
    # A name that is but an ending, such as '.csv', has none by Path's rule.
    return name[: -len(ending)] if ending and READERS.has(ending) else name


def views_in_rows(
    every: bool, named: Sequence[str] | None, tables: dict[str, Path] | Path
) -> bool | list[str]:
    """Return in which views features stand in rows, as ``poems.read`` takes it.

    Raises
    ------
    typer.BadParameter
        If a name is not that of a table.
    """
    for name in named or ():
        if isinstance(tables, dict) and name not in tables:
            raise typer.BadParameter(
                f"--features-in-rows-of {name}: there is no such omic; there are "
                f"{', '.join(tables)}"
            )
    return every or list(named or ())


def _layers(given: Sequence[str] | None) -> str | dict[str, str] | None:
    """Return the layer of each view, or the one of all.

    >>> _layers(["rna=lognorm", "atac=tfidf"]), _layers(["lognorm"])
    ({'rna': 'lognorm', 'atac': 'tfidf'}, 'lognorm')
    """
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    found: dict[str, str] = {}
    for text in given:
        view, equals, name = text.partition("=")
        if not view or not equals or not name:
            raise typer.BadParameter(
                f"--layer takes OMIC=NAME where there are several, not '{text}'"
            )
        if view in found:
            raise typer.BadParameter(f"--layer is given twice for view '{view}'")
        found[view] = name
    return found


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    # A file may have '=' in its name: what exists as it stands is a file.
    if not equals or Path(text).exists():
        return view_name(Path(text)), Path(text)
    return name, Path(path)
