"""The parameters that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems
    from poems.fitting.stored import StoredFit

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
        help="Tables, one an omic (CSV, TSV, xlsx, Parquet, h5ad), or one .h5mu file. An omic is "
        "named after its file unless a name is given.",
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
NewObs = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Table of these samples, where the model takes sizes of counts from a column of it.",
    ),
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
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="[OMIC=]NAME",
        help="Take the values of this layer of an AnnData in place of its X, or of this sheet of "
        "a workbook (obs=NAME: of that of the samples); repeatable.",
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
# As in poems.data.naming.near_features, which takes longer to import; a test holds them equal.
FeatureMatchName = Literal["exact", "version", "case", "separators", "prefix", "suffix", "any"]
MatchFeatures = Annotated[
    FeatureMatchName,
    typer.Option(
        metavar="NAME",
        help="How features match that are named differently: exact (not at all), version (without "
        "the version of ENSG00000141510.16), case, separators, prefix, suffix, or any of these.",
    ),
]
RenameFeatures = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Table of two columns: the name of a feature in the new tables, and in the model.",
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


def load_model(path: Path) -> FittedPoems:
    """Load the model of a run folder, or a model file."""
    from poems.fitting.result import load
    from poems.runs.folder import read_run

    return read_run(path).model if path.is_dir() else load(path)


def load_tables(path: Path) -> StoredFit | FittedPoems:
    """Read what a run folder or a model file says, without loading torch where that can be."""
    if path.suffix == ".h5mu":
        return load_model(path)
    from poems.fitting.stored import read_fit
    from poems.runs.folder import read_run

    return read_run(path).fit if path.is_dir() else read_fit(path)
