"""The factors: what each explains, drives and goes with, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from poems.report.blocks import Block, Fold, Notice, Panel, Picker, Section, Text
from poems.report.sections.drawn import (
    associations_picture,
    factor_groups_picture,
    loadings_picture,
    variance_picture,
)
from poems.report.source import Source
from poems.report.standing import NO_INFORMATION, NO_VARIANCE, weak_factors
from poems.report.tables import Column, make_table
from poems.report.wording import column_title, factor_title, listing, number, p_text
from poems.settings.rates import FDR_OBS

if TYPE_CHECKING:
    from poems.settings.effect_scale import EffectScale

# Features of a factor and view, and gene sets of it, that are shown.
_FEATURES = 12
_SETS = 10
_MEASURES = {"rho": "ρ", "rank-biserial": "r", "epsilon squared": "ε²"}
# Of shares: what is no more than this above is so by rounding.
_ROUNDING = 0.005
_ALL = "all"
# Reasons that are a verb already.
_REASON = {reason: reason for reason in (NO_VARIANCE, NO_INFORMATION)}


def factors_section(source: Source) -> Section:
    """Return the section on the factors: an overview, and a picker of one factor."""
    model = source.model
    if not model.n_active:
        text = "No factor drives any feature; `poems diagnose` says what to try."
        return Section("factors", "Factors", [Notice(text, "warning")])
    blocks: list[Block] = [_overview(source), *associations_picture(source)]
    more = (
        *factor_groups_picture(source),
        *variance_picture(source),
        *loadings_picture(source),
    )
    if more:
        blocks.append(Fold("factor-pictures", "Pictures of all factors and loadings", more))
    if source.get("factor_variance") is None:
        blocks.append(source.absent("factor_variance", "variance explained by factor and omic"))
    if source.get("factor_obs") is None and len(source.run.obs.columns):
        blocks.append(source.absent("factor_obs", "associations with the obs table"))
    weak = weak_factors(source)
    # What is not to be built on comes last, and says so.
    order = sorted(model.factor_names, key=lambda name: name in weak)
    panels = tuple(_panel(source, factor, weak.get(factor, "")) for factor in order)
    blocks += [
        Text(
            "Choose a factor to see what it drives. A bar to the right (red): the feature is "
            "higher where the factor is higher; to the left (blue): lower."
        ),
        Picker("factor-picker", "Factor", panels),
    ]
    blocks += _correlations(source)
    blocks += _background(source)
    lead = (
        "A factor is an axis along which samples differ. It moves a short list of features of "
        "each omic; all others it leaves alone, exactly. Which end of a factor is called high is "
        "arbitrary. Factors come by decreasing strength."
    )
    return Section("factors", "Factors", blocks, lead)


def _overview(source: Source) -> Block:
    model = source.model
    table = pd.DataFrame({"factor": model.factor_names})
    weak = weak_factors(source)
    columns = [Column("factor", "Factor", "factor")]
    variance = source.get("factor_variance")
    top = None
    if variance is not None:
        top = float(variance.loc[variance["factor"] != _ALL, "r2"].max())
    for at, view in enumerate(model.view_names):
        if variance is not None:
            own = variance[variance["view"] == view].set_index("factor")["r2"]
            table[f"view{at}"] = own.reindex(table["factor"]).to_numpy()
            columns.append(Column(f"view{at}", view, "percent", "Lost without it", top))
        else:
            driven = (model.loadings[view] != 0).sum()
            table[f"view{at}"] = driven.reindex(table["factor"]).to_numpy()
            columns.append(Column(f"view{at}", view, "integer", "Features that it drives"))
    obs, also = source.get("factor_obs"), ""
    if obs is not None:
        also = (
            ", and the column of the obs table that the factor goes with most (at a false "
            f"discovery rate of {FDR_OBS:.0%})"
        )
        table["obs"] = [closest_column(obs, factor) or "–" for factor in table["factor"]]
        columns.append(Column("obs", "Goes with"))
    if weak:
        table["standing"] = [weak.get(name, "") for name in table["factor"]]
        columns.append(Column("standing", "Not to be built on", "text", "And why"))
    shown = (
        "number of features of each omic that it drives"
        if variance is None
        else "share of each omic's variance that is lost without it" + _of_deviance(source)
    )
    return make_table(
        "factor-overview",
        f"All factors: the {shown}{also}.",
        table,
        columns,
        where=source.where("factor_variance") if variance is not None else "loadings/",
        note=""
        if variance is None
        else "What two factors both tell is counted for neither, so shares need not add up."
        + _above_all(variance),
        faint=[name in weak for name in table["factor"]],
    )


def _of_deviance(source: Source) -> str:
    """Name the omics whose share is of something else than variance."""
    share_of = source.model.share_of
    views = share_of.index[share_of == "deviance"]
    return f" (of {listing(views)} its deviance)" if len(views) else ""


def _above_all(variance: pd.DataFrame) -> str:
    """Say what it means that more is lost without a factor than all explain; empty if nowhere."""
    total = variance[variance["factor"] == _ALL].set_index("view")["r2"]
    each = variance[variance["factor"] != _ALL]
    if not (each["r2"] > each["view"].map(total) + _ROUNDING).any():
        return ""
    return (
        " A share may be above what all factors explain together: without that factor the others "
        "fit the omic worse than no factor would."
    )


def closest_column(obs: pd.DataFrame, factor: str) -> str:
    """Say which column a factor goes with most; empty if none at the false discovery rate.

    Examples
    --------
    >>> obs = pd.DataFrame({"factor": ["factor_1"], "column": ["grade"], "test": ["Spearman"],
    ...     "measure": ["rho"], "effect": [0.8], "p": [1e-9], "q": [1e-8]})
    >>> closest_column(obs, "factor_1"), closest_column(obs, "factor_2")
    ('grade (ρ 0.80, q = 1 × 10⁻⁸)', '')
    """
    own = obs[(obs["factor"] == factor) & (obs["q"] <= FDR_OBS)]
    if not len(own):
        return ""
    best = own.sort_values("p", kind="stable").iloc[0]
    size = f"{_MEASURES.get(best['measure'], best['measure'])} {number(best['effect'])}"
    return f"{column_title(best['column'])} ({size}, {p_text(best['q'], 'q')})"


def _panel(source: Source, factor: str, why_weak: str) -> Panel:
    title = factor_title(factor)
    slug = factor.replace("_", "-")
    blocks: list[Block] = []
    if why_weak:
        text = f"Not to be built on: {title} {_REASON.get(why_weak, f'is found {why_weak}')}."
        blocks.append(Notice(text, "warning"))
    variance = source.get("factor_variance")
    if variance is not None:
        own = variance[variance["factor"] == factor]
        total = variance[variance["factor"] == _ALL].set_index("view")["r2"]
        shown = own.assign(all=own["view"].map(total))
        blocks.append(
            make_table(
                f"{slug}-variance",
                f"{title}: variance of each omic that is lost without it.",
                shown,
                [
                    Column("view", "Omic"),
                    Column("r2", "Lost without this factor", "percent"),
                    Column("all", "Explained by all factors", "percent"),
                    Column("n_samples", "Samples", "integer"),
                ],
                where=source.where("factor_variance"),
                sortable=False,
            )
        )
    effects = source.get("factor_effects")
    if effects is None:
        blocks.append(source.absent("factor_effects", "effects of the factors"))
    else:
        blocks += _features(source, effects[effects["factor"] == factor], slug, title)
    obs = source.get("factor_obs")
    if obs is not None:
        blocks.append(_obs(source, obs[obs["factor"] == factor], slug, title))
    blocks += _gene_sets(source, factor, slug, title)
    called = f"{title} (weak)" if why_weak else title
    return Panel(f"{slug}-panel", called, tuple(blocks), factor)


def _features(source: Source, own: pd.DataFrame, slug: str, title: str) -> list[Block]:
    blocks: list[Block] = []
    for at, view in enumerate(source.model.view_names):
        there = own[own["view"] == view]
        scale = source.model.effect_scales[view]
        if not len(there):
            blocks.append(Text(f"{title} drives no feature of {view}."))
            continue
        blocks.append(
            make_table(
                f"{slug}-features-{at}",
                f"{title}: the features of {view} that it moves most.",
                there.sort_values("loading", key=abs, ascending=False, kind="stable"),
                [
                    Column("feature", "Feature"),
                    Column(
                        "loading",
                        f"Effect ({scale.short})",
                        "effect",
                        f"By {scale.moves} when the factor moves by "
                        + ("one of its own" if scale.multiplies is None else "one of its sd"),
                    ),
                    *_ratio(scale),
                    Column("shape", "Shape", "text", "How the feature runs along the factor"),
                    Column("direction", "Direction"),
                    Column(
                        "inclusion", "Inclusion", "number", "Probability that the loading is in"
                    ),
                ],
                where=source.where("factor_effects"),
                limit=_FEATURES,
            )
        )
    return blocks


def _ratio(scale: EffectScale) -> list[Column]:
    """What an effect multiplies, where it does."""
    if scale.multiplies is None:
        return []
    said = f"How many times the {scale.multiplies}, for one sd of the factor"
    return [Column("ratio", f"Times the {scale.multiplies}", "number", said)]


def _obs(source: Source, own: pd.DataFrame, slug: str, title: str) -> Block:
    known = own.dropna(subset=["p"]).sort_values("p", kind="stable")
    shown = known.assign(
        groups=[
            "" if str(low) in ("", "nan", "None") else f"{low} < {high}"
            for low, high in zip(
                known.get("lowest", pd.Series("", known.index)),
                known.get("highest", pd.Series("", known.index)),
                strict=True,
            )
        ]
    )
    return make_table(
        f"{slug}-obs",
        f"{title}: columns of the obs table, tested one by one.",
        shown,
        [
            Column("column", "Column"),
            Column("groups", "Lowest < highest"),
            Column("test", "Test"),
            Column("measure", "Measure"),
            Column("effect", "Size", "number"),
            Column("n_samples", "Samples", "integer"),
            Column("p", "p", "p"),
            Column("q", "FDR q", "p", "By Benjamini and Hochberg, over all factors and columns"),
        ],
        where=source.where("factor_obs"),
        limit=_FEATURES,
    )


def _gene_sets(source: Source, factor: str, slug: str, title: str) -> list[Block]:
    sets = source.get("gene_sets")
    if sets is None or "factor" not in sets.columns:
        return []
    own = sets[sets["factor"] == factor]
    order = [name for name in ("q", "p") if name in own.columns]
    if order:
        own = own.sort_values(order, kind="stable")
    return [
        make_table(
            f"{slug}-sets",
            f"{title}: gene sets that its features are enriched for.",
            own,
            [
                Column("gene_set", "Gene set"),
                Column("view", "Omic"),
                Column("direction", "Direction"),
                Column("n_overlap", "In common", "integer", "Genes that the factor drives"),
                Column("n_set", "Of the set", "integer", "Genes of the set that were measured"),
                Column("odds_ratio", "Odds ratio", "number"),
                Column("p", "p", "p"),
                Column("q", "FDR q", "p"),
                Column("genes", "Genes in common"),
            ],
            where=source.where("gene_sets"),
            limit=_SETS,
        )
    ]


def _correlations(source: Source) -> list[Block]:
    table = source.get("factor_correlations")
    if table is None:
        return []
    return [
        Fold(
            "factors-together",
            "Factors that go together",
            (
                make_table(
                    "factor-correlations",
                    "Correlations between factors over the samples, the closest first.",
                    table,
                    [
                        Column("factor", "Factor", "factor"),
                        Column("other", "Other", "factor"),
                        Column("spearman", "Spearman's ρ", "effect"),
                        Column("pearson", "Pearson's r", "number"),
                    ],
                    where=source.where("factor_correlations"),
                    limit=20,
                ),
            ),
        ),
    ]


def _background(source: Source) -> list[Block]:
    """The dense factors beside the sparse ones: how much they carry, and what they go with."""
    model = source.model
    scores = model.background
    if not len(scores.columns):
        return []
    table = pd.DataFrame({"factor": list(scores.columns)})
    columns = [Column("factor", "Background factor")]
    top = max(
        float((model.background_loadings[view].pow(2).mean() * scores.var(ddof=0)).max())
        for view in model.view_names
    )
    for at, view in enumerate(model.view_names):
        # Of an average feature, whose variance is 1 where features are standardised.
        carried = model.background_loadings[view].pow(2).mean() * scores.var(ddof=0)
        table[f"view{at}"] = carried.to_numpy()
        columns.append(
            Column(f"view{at}", view, "percent", "Variance that it gives an average feature", top)
        )
    obs = source.get("background_obs")
    if obs is not None:
        table["obs"] = [closest_column(obs, factor) for factor in table["factor"]]
        columns.append(Column("obs", "Goes with"))
    return [
        Fold(
            "background",
            "The background: dense factors beside the sparse ones",
            (
                Text(
                    "Beside the factors the model has dense ones, which may move every feature a "
                    "little. They stand for sequencing depth, purity, batches, or structure that "
                    "is not sparse. They help to predict, and are not to be read as biomarkers. "
                    "One that goes with a technical column most likely comes from it; one that "
                    "goes with a clinical column holds structure that the sparse factors do not."
                ),
                make_table(
                    "background-factors",
                    "Background factors: the variance that each gives an average feature of each "
                    "omic, and the column of the obs table that it goes with most (at a false "
                    f"discovery rate of {FDR_OBS:.0%}).",
                    table,
                    columns,
                    where=source.where("background_obs") if obs is not None else "background.csv",
                    limit=_FEATURES,
                ),
            ),
        ),
    ]
