"""Pictures of the sections: each from a table of the run that its caption names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.clustering.names import natural_order
from poems.findings import count
from poems.report.blocks import Block, Picture, SideBySide
from poems.report.pictures import picture
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import column_title, factor_title, listing, number, p_text, percent
from poems.settings.rates import FDR, FDR_OBS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Factors drawn by subtype, and pairs in the circle, at most.
_FACTORS: Final = 4
_PAIRS: Final = 40
_TOP_FEATURES: Final = 6
_MOST_VOLCANOES: Final = 6
_ALL: Final = "all"
# Groups of a column of the obs table in the table of subtypes.
_GROUPS: Final = 10
# Inches: two stand side by side on a laptop, and one fills a phone with its letters readable.
_CURVES: Final = 4.8


def variance_picture(source: Source) -> list[Block]:
    """Draw what each factor explains of each omic."""
    from poems.plots.factors import plot_variance

    table = source.get("factor_variance")
    if table is None:
        return []
    single = table[table["factor"] != _ALL].dropna(subset=["r2"])
    best = single.sort_values("r2", ascending=False, kind="stable").head(3)
    told = listing(
        f"{factor_title(row.factor)} {percent(row.r2)} of {row.view}" for row in best.itertuples()
    )
    return [
        picture(
            "factor-variance",
            lambda: plot_variance(table),
            alt=f"Share of each omic's variance that each factor explains. The most: {told}.",
            caption="Per cent of each omic's variance (deviance, where it is not Gaussian) that is "
            "lost without a factor; the last row: explained by all together.",
            where=source.where("factor_variance"),
        )
    ]


def associations_picture(source: Source) -> list[Block]:
    """Draw how closely factors go with columns of the obs table."""
    from poems.plots.factors import plot_associations

    table = source.get("factor_obs")
    # One column is told in full by the table of the factors.
    if table is None or table.loc[table["p"].notna(), "column"].nunique() < 2:
        return []
    found = table[table["q"] <= FDR_OBS]
    told = "none" if not len(found) else listing(dict.fromkeys(map(str, found["column"].head(5))))
    return [
        picture(
            "factor-columns",
            lambda: plot_associations(table, fdr=FDR_OBS),
            alt="Associations of the factors with columns of the obs table. Columns that go with a "
            f"factor: {told}.",
            caption="Red and blue: the number rises or falls with the factor; groups have no "
            "direction and are red. The stronger the colour, the closer; a dot: at a false "
            f"discovery rate of {FDR_OBS:.0%}.{_of_survival(source)}",
            where=source.where("factor_obs"),
        )
    ]


def loadings_picture(source: Source) -> list[Block]:
    """Draw the strongest loadings of all factors together."""
    from poems.plots.loadings import plot_loadings, top_features
    from poems.plots.matrix import ROW
    from poems.plots.style import new_axes

    model = source.model
    shown = top_features(model.loadings, _TOP_FEATURES * len(model.factor_names) // 4 + 4)
    n_rows, n_factors = shown.shape
    if not n_rows:
        return []
    top = n_rows // max(len(model.view_names), 1)

    def draw() -> Axes:
        ax = new_axes(2.7 + 0.17 * n_factors, 1.3 + 0.8 * ROW * n_rows)
        units = {view: scale.short for view, scale in model.effect_scales.items()}
        return plot_loadings(model.loadings, max(top, 1), ax, units=units)

    return [
        picture(
            "factor-loadings",
            draw,
            alt="The strongest features of each factor (rows) and how all factors move them "
            "(columns): red up, blue down, white not at all.",
            caption="The features that load most, of each omic and factor in turn. White is "
            "exactly zero.",
            where="loadings/ in the run folder",
        )
    ]


def factor_groups_picture(source: Source) -> list[Block]:
    """Draw the factors that differ most between subtypes."""
    latent = source.model.latent.set_axis(source.run.obs.index)
    subtypes = source.subtypes
    if subtypes.nunique() < 2 or not len(latent.columns):
        return []
    means = latent.groupby(subtypes).transform("mean")
    between = (means.var(ddof=0) / latent.var(ddof=0)).sort_values(ascending=False, kind="stable")
    drawn = list(between.index[:_FACTORS])

    def draw() -> Figure:
        from poems.plots.groups import plot_factor_by_group
        from poems.plots.style import panels

        height = 0.75 + 0.24 * subtypes.nunique()
        figure, axes = panels(len(drawn), 3.7, height, columns=1)
        for factor, ax in zip(drawn, axes, strict=True):
            plot_factor_by_group(latent, subtypes, factor, ax)
        return figure

    told = listing(f"{factor_title(name)} ({percent(between[name])})" for name in drawn)
    return [
        picture(
            "factor-groups",
            draw,
            alt="Values of the factors that differ most between subtypes, by subtype; of their "
            f"variance lies between subtypes: {told}.",
            caption="The factors that differ most between subtypes: a point per sample, a box from "
            "the first to the third quartile. Subtypes were formed from the factors, so that this "
            "describes them and tests nothing.",
            where="latent.csv and subtypes.csv in the run folder",
        )
    ]


def consensus_picture(source: Source) -> list[Block]:
    """Draw how often subsamples put two samples together."""
    from poems.plots.consensus import plot_consensus

    table = source.get("subtype_consensus")
    if table is None:
        return []
    names = [str(name) for name in table["sample"]]
    matrix = table.drop(columns="sample").astype(float)
    matrix = pd.DataFrame(matrix.to_numpy(), index=names, columns=names)
    subtypes = source.subtypes.set_axis(source.subtypes.index.astype(str)).reindex(names)
    within = matrix.groupby(subtypes.to_numpy()).mean().T.groupby(subtypes.to_numpy()).mean()
    told = "; ".join(
        f"{name} {number(within.loc[name, name])}"
        for name in sorted(within.index, key=natural_order)
    )
    return [
        picture(
            "subtype-consensus",
            lambda: plot_consensus(matrix, subtypes, of="subsamples"),
            alt="How often subsamples put two samples into one cluster, samples grouped by "
            f"subtype. Mean within each: {told}.",
            caption="Share of subsamples with both that put two samples into one cluster. Dark "
            "squares on the diagonal: subtypes whose samples stay together.",
            where=source.where("subtype_consensus"),
        )
    ]


def marker_heatmap(source: Source) -> list[Block]:
    """Draw the values of the strongest markers in the samples."""
    from poems.plots.marker_heatmap import plot_marker_heatmap

    table = source.get("marker_values")
    if table is None:
        return []
    cells = table.set_index(["view", "feature", "sample"])["value"]
    wide = cells.unstack().reindex(index=cells.index.droplevel("sample").unique())
    subtypes = source.subtypes.set_axis(source.subtypes.index.astype(str))
    wide.columns = wide.columns.astype(str)
    obs = source.run.obs.set_axis(source.run.obs.index.astype(str))
    bars = _annotations(source, obs)
    names = listing(f"{row[1]} ({row[0]})" for row in wide.index[:4])
    return [
        picture(
            "marker-heatmap",
            lambda: plot_marker_heatmap(wide, subtypes, bars),
            alt=f"Values of {count(len(wide), 'marker')} in the samples, grouped by subtype; the "
            f"first are {names}.",
            caption="The strongest markers of each subtype and omic, sample by sample. Bars above "
            "the map: subtypes, and columns of the obs table that differ between them.",
            where=source.where("marker_values"),
        )
    ]


def _annotations(source: Source, obs: pd.DataFrame) -> pd.DataFrame | None:
    """Return up to 3 columns of the obs table, those that differ most between subtypes."""
    table = source.get("subtype_obs")
    if table is None:
        return None
    tested = table.dropna(subset=["p"]).sort_values("p", kind="stable")
    wanted = list(dict.fromkeys(map(str, tested["column"])))[:3]
    at = {str(name): place for place, name in reversed(list(enumerate(obs.columns)))}
    kept = [at[name] for name in wanted if name in at]
    chosen = obs.iloc[:, kept]
    return chosen.rename(columns=column_title) if kept else None


def volcano(source: Source, subtype: str, rank: int) -> list[Block]:
    """Draw effect against significance of all features in a subtype."""
    from poems.plots.volcano import plot_volcano

    markers = source.get("markers")
    if markers is None or rank >= _MOST_VOLCANOES:
        return []
    own = markers[(markers["subtype"].astype(str) == subtype)].dropna(subset=["effect", "q"])
    if not len(own):
        return []
    up = int(((own["q"] <= FDR) & (own["effect"] > 0)).sum())
    down = int(((own["q"] <= FDR) & (own["effect"] < 0)).sum())
    return [
        picture(
            f"volcano-{rank}",
            lambda: plot_volcano(own, subtype, fdr=FDR),
            alt=f"All features in {subtype}: {up} higher and {down} lower than in the other "
            f"samples at a false discovery rate of {FDR:.0%}.",
            caption=f"{subtype}: difference of each feature from the other samples, and how sure "
            f"it is. Above the line: a false discovery rate of {FDR:.0%} or less.",
            where=source.where("markers"),
        )
    ]


def pair_circle(source: Source, drawn: pd.DataFrame, names: str) -> list[Block]:
    """Draw the strongest pairs of features as chords of a circle."""
    from poems.plots.pairs.circle import plot_pair_circle

    views = list(source.model.view_names)
    return [
        picture(
            "pair-circle",
            lambda: plot_pair_circle(drawn, views=views, top=_PAIRS),
            alt="The same pairs as chords of a circle whose arcs are the omics; among them "
            f"{names}.",
            caption="The same pairs by omic. Red chords join what rises together, blue ones what "
            "moves against one another.",
            where=source.where("cross_omic"),
        )
    ]


def factor_survival(source: Source) -> list[Block]:
    """Draw survival by thirds of the factors that go with it most."""
    km, at_risk = source.get("survival_factor_km"), source.get("survival_factor_at_risk")
    if km is None or at_risk is None:
        return []
    drawn = tuple(
        _factor_curves(source, km[km["factor"] == name], at_risk[at_risk["factor"] == name], at)
        for at, name in enumerate(dict.fromkeys(km["factor"]))
    )
    return [SideBySide(drawn)]


def _factor_curves(source: Source, km: pd.DataFrame, at_risk: pd.DataFrame, rank: int) -> Picture:
    from poems.plots.style import new_axes
    from poems.plots.survival import plot_kaplan_meier

    factor = str(km["factor"].iloc[0])
    title = factor_title(factor)
    last = km.groupby("subtype", sort=False)["survival"].last()
    ends = "; ".join(f"{name} {value:.2f}" for name, value in last.items())

    def draw() -> Axes:
        ax = new_axes(_CURVES, _CURVES * 0.8)
        drawn = plot_kaplan_meier(km, at_risk, ax, unit=source.time_unit)
        legend = drawn.get_legend()
        if legend is not None:
            # The numbers at risk name the colours; a key would leave no room for the curves.
            legend.remove()
        return drawn

    return picture(
        f"survival-factor-{rank}",
        draw,
        alt=f"Kaplan-Meier curves by thirds of {title}. Survival at the end of each: {ends}.",
        caption=f"Survival of the samples with low, middle and high values of {title}, with 95% "
        f"limits. {_decided(source, factor)}The tests below take the values as they are.",
        where=source.where("survival_factor_km"),
    )


def _decided(source: Source, factor: str) -> str:
    """Say of curves that may look apart that no test holds; empty where one does."""
    tests = source.get("survival_tests")
    own = None if tests is None else tests[tests["what"] == factor]
    if own is None or not len(own) or own["reported"].astype(bool).any():
        return ""
    known = own["q"].dropna()
    told = f" ({p_text(known.min(), 'q')})" if len(known) else ""
    return f"It is drawn as the closest; no test of it holds{told}. "


def obs_by_subtype(source: Source) -> list[Block]:
    """Return the table of the obs table's columns by subtype ("table 1")."""
    table = source.get("subtype_obs")
    if table is None:
        return []
    fixed = {"column", "group", "summary", "all", "test", "n_samples", "p", "q"}
    subtypes = [name for name in table.columns if name not in fixed]
    columns = {name: f"s{at}" for at, name in enumerate(subtypes)}
    of_column = table.groupby("column", sort=False).cumcount()
    shown = table.rename(columns=columns).fillna({"group": "", "test": ""})[of_column < _GROUPS]
    left = int((of_column >= _GROUPS).sum())
    more = f" {count(left, 'more group')} of columns of many are in the file." if left else ""
    # As everywhere in the report.
    for name in shown.columns.intersection([*columns.values(), "all"]):
        shown[name] = shown[name].astype(str).str.replace(" %)", "%)", regex=False)
    return [
        make_table(
            "subtype-obs",
            "Who is in each subtype: columns of the obs table, as median (quartiles) or number "
            "(share).",
            shown,
            [
                Column("column", "Column"),
                Column("group", "Group"),
                # Before the subtypes: of many of them the last are out of sight.
                Column("p", "p", "p"),
                Column("q", "FDR q", "p", "By Benjamini and Hochberg, over all columns"),
                Column("all", "All"),
                *_subtype_columns(columns.items()),
                Column("test", "Test"),
            ],
            where=source.where("subtype_obs"),
            note=f"The columns played no part in forming the subtypes.{_of_survival(source)}{more}",
            sortable=False,
        )
    ]


def _of_survival(source: Source) -> str:
    left = source.of_survival
    if not left:
        return ""
    has = "tells" if len(left) == 1 else "tell"
    return f" {listing(left)} {has} of survival, which has a section of its own."


def _subtype_columns(names: Iterable[tuple[str, str]]) -> list[Column]:
    return [Column(column, name) for name, column in names]
