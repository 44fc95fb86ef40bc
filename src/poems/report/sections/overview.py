"""The pictures of the first screen: one map, and one that shows what the verdict rests on."""

from __future__ import annotations

import pandas as pd

from poems.analysis.subtypes.choice_words import choice_table
from poems.plots.latent import centre_plane, principal_plane
from poems.plots.style import new_axes
from poems.report.blocks import Picture, SideBySide
from poems.report.pictures import PHONE_WIDTH, picture
from poems.report.sections.survival import survival_curves
from poems.report.source import Source
from poems.report.wording import listing, number
from poems.runs.folder import run_subtypes
from poems.settings.rates import FDR

# Inches: two stand side by side on a laptop, and one fills a phone with its letters readable.
_WIDTH, _HEIGHT = 4.8, 3.2
# Of a row of dots, and of what stands around them.
_ROW, _AROUND = 0.21, 0.75
# Points of the map beyond which it is a bitmap, and at most.
_MANY, _MOST = 1000, 3000
# Markers of each subtype and omic in the picture; of many subtypes fewer, so that it stays low.
_DOTS = 14
# Labels that colours and shapes tell apart in a small picture.
_MOST_LABELS = 9


def overview(source: Source) -> SideBySide:
    """Return the map of samples, and beside it survival, markers, or why there are no subtypes."""
    second = _second(source)
    return SideBySide((_map(source), *(() if second is None else (second,))))


def _map(source: Source) -> Picture:
    from poems import plots

    points, subtypes, metric = source.embedding(), source.subtypes, source.metric
    parted = subtypes.nunique() > 1 and not source.model.diagnose().signatures
    plane = centre_plane(points, subtypes, metric) if parted else principal_plane(points, metric)
    shown = plane.sample(_MOST, random_state=source.model.seed) if len(plane) > _MOST else plane
    groups = subtypes if parted else known_labels(source)
    what = "subtype" if parted else f"the labels in '{source.labels}'"
    sizes = None if groups is None else groups.value_counts()
    told = "" if sizes is None else listing(f"{name} with {sizes[name]}" for name in sizes.index)
    return picture(
        "overview-map",
        lambda: plots.plot_latent(
            shown,
            None if groups is None else groups.loc[shown.index],
            new_axes(_WIDTH, _HEIGHT),
            without="no subtype" if parted else "not known",
        ),
        alt=f"Map of {len(shown)} samples"
        + ("" if parted else ", which form one group")
        + (f", coloured and shaped by {what}: {told}." if told else "."),
        caption="Each dot is a sample; near dots are alike."
        + (" The plane was chosen to part the subtypes." if parted else "")
        + (f" Colours: {what}, which played no part in the fit." if told and not parted else ""),
        many_points=len(shown) > _MANY,
        where=f"{'network' if metric == 'network' else 'latent'}.csv in the run folder",
    )


def known_labels(source: Source) -> pd.Series | None:
    """Return the labels that the report was given, if they are few enough to be told apart.

    Of shape (n_samples,), by the samples of the run, missing where a sample has none.
    """
    if source.labels is None or source.labels not in source.run.obs.columns:
        return None
    labels = source.run.obs[source.labels]
    known = labels.dropna()
    if not 2 <= known.nunique() <= _MOST_LABELS:
        return None
    return labels.map(str, na_action="ignore")


def _second(source: Source) -> Picture | None:
    several = source.subtypes.nunique() > 1 and not source.model.diagnose().signatures
    if several and source.get("survival_km") is not None:
        return survival_curves(source, "overview-survival", (_WIDTH, _HEIGHT))
    if several and (markers := source.get("markers")) is not None:
        return _markers(source, markers)
    return _choice(source)


def _markers(source: Source, markers: pd.DataFrame) -> Picture | None:
    from matplotlib.figure import Figure

    from poems import plots

    if not (markers["q"] <= FDR).any():
        return None
    several = len(source.model.view_names) > 1
    # One panel of all omics: two would be too small to read.
    named = [
        f"{feature} ({view})" if several else str(feature)
        for feature, view in zip(markers["feature"], markers["view"], strict=True)
    ]
    table = markers.assign(view="Strongest markers", feature=named)
    n = source.subtypes.nunique()
    top = max(1, _DOTS // n)
    height = _AROUND + _ROW * max(top * n, 4)
    return picture(
        "overview-markers",
        lambda: plots.plot_markers(
            table, top, fdr=FDR, figure=Figure((PHONE_WIDTH, height), layout="constrained")
        ),
        alt="Dots of the strongest markers (rows) in each subtype (columns), red where the feature "
        "is higher, blue where lower. The tables of markers have the numbers.",
        caption="What marks the subtypes: red is higher, blue lower, a larger dot a larger "
        "difference.",
        where=source.where("markers"),
    )


def _choice(source: Source) -> Picture | None:
    from matplotlib.figure import Figure

    from poems import plots

    found = run_subtypes(source.run)
    table = choice_table(found.tried)
    several = table[table["n_subtypes"] > 1]
    if not len(several):
        return None
    told = "; ".join(
        f"{row.n_subtypes}: {number(row.separation)} apart against {number(row.without_groups)}"
        for row in several.itertuples()
    )
    return picture(
        "overview-choice",
        lambda: plots.plot_subtype_choice(
            table, found.n_subtypes, Figure((PHONE_WIDTH, 3.1), layout="constrained")
        ),
        alt=f"What each number of subtypes has for it. {told}.",
        caption="Why no number of subtypes holds: it must be found again (left), and its subtypes "
        "be farther apart than in data without groups (right), or found again better than there."
        if found.n_subtypes < 2
        else "What each number of subtypes has for it.",
        where="subtype_choice.csv in the run folder",
    )
