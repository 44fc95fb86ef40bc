"""The parameters that commands share, and the tables of a cohort that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.data.formats import READERS, reader_of

if TYPE_CHECKING:
    from poems.data import MultiOmics
    from poems.fitting.result import FittedPoems

_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


# As in poems.settings.schema and poems.data, which take longer to import; a test holds them equal.
Samples = Literal["union", "intersection"]
MetricName = Literal["network", "latent", "gram", "decoded"]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that poems fit wrote.")]

RunOrModel = Annotated[
    Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder or a model.")
]
Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]FILE",
        help="Tables, one an omic (CSV, TSV, Parquet, h5ad), or one .h5mu file. An omic is named "
        "after its file unless a name is given.",
        show_default=False,
    ),
]
Views = Annotated[
    list[str] | None,
    typer.Option(
        "--view", metavar="NAME=FILE", help="An omic and its table; repeatable.", show_default=False
    ),
]
Obs = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Table of the samples: labels, clinical columns."),
]
FeaturesInRows = Annotated[
    bool, typer.Option("--features-in-rows", metavar="", help="The tables have features in rows.")
]
FeaturesInRowsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--features-in-rows-of",
        metavar="NAME",
        help="The table of this omic has features in rows; repeatable.",
        show_default=False,
    ),
]
SamplesOption = Annotated[
    Samples,
    typer.Option(
        metavar="NAME", help="Keep samples in any omic (union) or in every one (intersection)."
    ),
]
Backed = Annotated[
    bool,
    typer.Option(
        "--backed",
        metavar="",
        help="Leave the values on disk and read them in blocks: for cohorts larger than memory. "
        "Takes one .h5mu, .h5ad or .zarr, or a .parquet, .h5ad or .zarr an omic, samples in rows.",
    ),
]
# The limit is that of poems.settings.schema.LARGEST_SEED, which is not imported for --help.
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Seed of everything random.")
]
MetricOption = Annotated[
    MetricName | None,
    typer.Option(
        metavar="NAME",
        help="Embedding to cluster in: network, latent, gram or decoded; network if not given.",
    ),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")]
AlsoOut = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Also write tables and pictures to this folder.")
]
RunObs = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Table of the samples; that of the run if not given."),
]
Fdr = Annotated[
    float, typer.Option(min=0.0, max=1.0, metavar="Q", help="False discovery rate to report at.")
]
TimeUnit = Annotated[
    str,
    typer.Option(
        "--time-unit",
        "--unit",
        metavar="TEXT",
        help="Unit of the follow-up times, such as days, for sentences and pictures.",
        show_default=False,
    ),
]
EventValue = Annotated[
    str | None,
    typer.Option(metavar="VALUE", help="The value that means an event, if this is not plain."),
]
Covariates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B", help="Columns to adjust survival for; repeatable.", show_default=False
    ),
]
GeneMap = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="Table with the columns feature and gene, for features that are no genes.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace an earlier result in the folder.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Print errors only.")]


@dataclass(frozen=True)
class Tables:
    """The tables of a cohort, as they were named; nothing of them is read yet."""

    views: dict[str, Path] | Path
    obs: Path | None
    features_in_rows: bool | list[str]

    def read(self, *, samples: Samples = "union", backed: bool = False) -> MultiOmics:
        """Read them into a cohort; ``backed`` leaves the values on disk."""
        from poems.data import read

        return read(
            self.views,
            obs=self.obs,
            features_in_rows=self.features_in_rows,
            samples=samples,
            backed=backed,
        )


def named_tables(
    files: Sequence[str] | None,
    views: Sequence[str] | None,
    in_rows: bool,
    in_rows_of: Sequence[str] | None,
    *,
    obs: Path | None = None,
) -> Tables:
    """Return the tables that the flags name.

    Raises
    ------
    typer.BadParameter
        If none is named, two are of one name, or a flag names a view that is none.
    """
    tables = parse_views(files, views)
    return Tables(tables, obs, views_in_rows(in_rows, in_rows_of, tables))


def existing_tables(
    files: Sequence[str] | None,
    views: Sequence[str] | None,
    in_rows: bool,
    in_rows_of: Sequence[str] | None,
    *,
    obs: Path | None = None,
) -> Tables:
    """Return the tables that the flags name, all of which are there.

    Raises
    ------
    typer.BadParameter
        As :func:`named_tables`.
    ReadError
        If a file does not exist.
    """
    from poems.data.files import existing_file, require_tables

    named = named_tables(files, views, in_rows, in_rows_of, obs=obs)
    require_tables(named.views)
    if obs is not None:
        existing_file(obs)
    return named


def existing_tables_if_any(
    files: Sequence[str] | None,
    views: Sequence[str] | None,
    in_rows: bool,
    in_rows_of: Sequence[str] | None,
    *,
    obs: Path | None = None,
) -> Tables | None:
    """Return the tables that the flags name, or ``None`` where they name none.

    Raises
    ------
    typer.BadParameter, ReadError
        As :func:`existing_tables`.
    """
    if not files and not views:
        views_in_rows(in_rows, in_rows_of, {})
        return None
    return existing_tables(files, views, in_rows, in_rows_of, obs=obs)


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


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    # A file may have '=' in its name: what exists as it stands is a file.
    if not equals or Path(text).exists():
        return view_name(Path(text)), Path(text)
    return name, Path(path)


def load_model(path: Path) -> FittedPoems:
    """Load the model of a run folder, or a model file."""
    from poems.fitting.result import load
    from poems.runs.folder import read_run

    return read_run(path).model if path.is_dir() else load(path)
