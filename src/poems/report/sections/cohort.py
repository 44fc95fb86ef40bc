"""The cohort: its samples and views, what was measured on whom, and its obs table."""

from __future__ import annotations

import pandas as pd

from poems.findings import count
from poems.report.blocks import Block, Notice, Section
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import general, listing, verb

# Different values of a column of the obs table that are named.
_NAMED = 6


def cohort_section(source: Source) -> Section:
    """Return the section on the cohort."""
    model = source.model
    blocks: list[Block] = [
        make_table(
            "views",
            "The omics of the cohort.",
            view_table(source),
            [
                Column("view", "Omic"),
                Column("features", "Features", "integer"),
                Column("measured", "Samples measured", "integer"),
                Column("missing", "Samples without", "integer"),
                Column("driven", "Features driven", "integer", "Features that a factor moves"),
                *_explained_by_factors(source),
            ],
            where="r2.csv, loadings/ and gates.csv in the run folder",
            sortable=False,
        )
    ]
    blocks += _explained(source)
    patterns = pattern_table(source.gates)
    if len(patterns) > 1:
        blocks.append(
            make_table(
                "patterns",
                "Which omics were measured on how many samples.",
                patterns,
                [
                    Column("measured", "Measured"),
                    Column("n_samples", "Samples", "integer"),
                    Column("share", "Share", "percent"),
                ],
                where="gates.csv in the run folder (a weight of 0: not measured)",
            )
        )
    obs = source.run.obs
    if len(obs.columns):
        blocks.append(
            make_table(
                "obs-columns",
                "Columns of the obs table (clinical and other annotations). They played no part "
                "in the fit.",
                obs_summary(obs),
                [
                    Column("column", "Column"),
                    Column("known", "Known", "integer"),
                    Column("different", "Different values", "integer"),
                    Column("values", "Values"),
                ],
                where="obs.csv in the run folder",
            )
        )
    else:
        blocks.append(
            Notice("The fit was given no obs table, so nothing can be compared with the factors.")
        )
    n = len(model.samples)
    lead = f"{count(n, 'sample')}, {count(len(model.view_names), 'omic')}."
    if (source.gates == 0).any(axis=None):
        lead += (
            " Samples that lack an omic are used as they are: what was not measured on a sample "
            "says nothing about it."
        )
    return Section("cohort", "Cohort", blocks, lead)


_OF_FACTORS = "By all factors, on the training samples"
_OF_DEVIANCE = "Share of the likelihood lost without factors, where values are not Gaussian"


def _explained_by_factors(source: Source) -> list[Column]:
    """The share of the factors, if it does not stand in a table of its own."""
    own = (source.model.share_of == "deviance").any()
    deviance = [Column("deviance", "Deviance explained", "percent", _OF_DEVIANCE)] if own else []
    if len(source.model.background.columns):
        return deviance
    return [Column("value_r2", "Variance explained", "percent", _OF_FACTORS), *deviance]


def _explained(source: Source) -> list[Block]:
    """How the variance of each omic divides, where there is a background."""
    n = len(source.model.background.columns)
    if not n:
        return []
    own = (source.model.share_of == "deviance").any()
    return [
        make_table(
            "explained",
            "What explains the variance of each omic, on the training samples"
            + (" (of an omic that is not Gaussian, the deviance)." if own else "."),
            view_table(source),
            [
                Column("view", "Omic"),
                Column("r2", "Factors", "percent", _OF_FACTORS),
                Column("background", "Background", "percent", "By dense factors, beyond that"),
                Column("unexplained", "Neither", "percent", "Noise, or what the model leaves"),
            ],
            where="r2.csv in the run folder",
            note=f"The background is {count(n, 'dense factor')} that may move every feature a "
            "little (depth, purity, batches, or structure that is not sparse): it helps to "
            "predict, and is no biomarker.",
            sortable=False,
        )
    ]


def view_table(source: Source) -> pd.DataFrame:
    """Return one row a view: features, samples measured, features driven, what is explained."""
    model = source.model
    measured = (source.gates > 0).sum()
    n = len(model.samples)
    return pd.DataFrame(
        {
            "view": list(model.view_names),
            "features": [len(model.features(view)) for view in model.view_names],
            "measured": [int(measured[view]) for view in model.view_names],
            "missing": [n - int(measured[view]) for view in model.view_names],
            "driven": [
                int((model.loadings[view] != 0).any(axis=1).sum()) for view in model.view_names
            ],
            **{
                share: [float(model.explained[share][view]) for view in model.view_names]
                for share in ("r2", "background", "unexplained")
            },
            "value_r2": model.value_r2[list(model.view_names)].to_numpy(),
            "deviance": model.r2.where(model.share_of == "deviance").to_numpy(),
        }
    )


def pattern_table(gates: pd.DataFrame) -> pd.DataFrame:
    """Count the samples by which views were measured on them, the commonest first.

    Examples
    --------
    >>> gates = pd.DataFrame({"rna": [0.5, 1.0], "cnv": [0.5, 0.0]})
    >>> pattern_table(gates)["measured"].tolist()
    ['rna and cnv', 'rna']
    """
    measured = gates.to_numpy() > 0
    names = [str(name) for name in gates.columns]
    texts = pd.Series(
        [listing(n for n, there in zip(names, row, strict=True) if there) for row in measured]
    )
    counts = texts.value_counts(sort=True)
    return pd.DataFrame(
        {
            "measured": counts.index.astype(str),
            "n_samples": counts.to_numpy(),
            "share": counts.to_numpy() / max(len(texts), 1),
        }
    )


def obs_summary(obs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per column: how many values are known, how many differ, and which.

    Examples
    --------
    >>> obs = pd.DataFrame({"sex": ["f", "m", "f"], "age": [50.0, 61.5, 55.8]})
    >>> obs_summary(obs)["values"].tolist()
    ['f (2) and m (1)', '50 to 61.5, median 55.8']
    """
    rows = []
    for at, name in enumerate(obs.columns):
        known = obs.iloc[:, at].dropna()
        numeric = pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known)
        if not len(known):
            text = "none"
        elif numeric and known.nunique() > 2:
            text = (
                f"{general(known.min())} to {general(known.max())}, "
                f"median {general(known.median())}"
            )
        else:
            counts = known.astype(str).value_counts()
            shown = [f"{value} ({n})" for value, n in counts.head(_NAMED).items()]
            rest = len(counts) - _NAMED
            more = f" and {rest} other {verb(rest, 'value', 'values')}" if rest > 0 else ""
            text = (", ".join(shown) + more) if more else listing(shown)
        rows.append(
            {
                "column": str(name),
                "known": len(known),
                "different": known.nunique(),
                "values": text,
            }
        )
    return pd.DataFrame(rows)
