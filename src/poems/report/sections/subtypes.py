"""The subtypes: where they lie, how sure they are, and what marks each."""

from __future__ import annotations

import pandas as pd

from poems.analysis.subtypes.choice_words import choice_table
from poems.analysis.subtypes.patterns import pattern_findings
from poems.analysis.subtypes.result import Subtypes
from poems.clustering.names import natural_order
from poems.findings import count
from poems.report.blocks import Block, Fold, Heading, Notice, Panel, Picker, Section, Text
from poems.report.pictures import PHONE_WIDTH, picture
from poems.report.sample_map import sample_map
from poems.report.sections.drawn import (
    consensus_picture,
    marker_heatmap,
    obs_by_subtype,
    volcano,
)
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import factor_title, listing, number, sentence, verb
from poems.runs.folder import run_subtypes
from poems.settings.rates import FDR

_MARKERS = 15
_CRITERIA = ("silhouette", "gap", "pac", "mixture_weight")
# Markers of each subtype and view that are drawn, at most, and markers of all in the picture.
_DRAWN, _ROWS = 5, 60
_WEAKEST = "Jaccard index of the subtype that has the least to spare for its size"
_FAILED = (
    "The fit failed its diagnosis: what is shown here helps to find out why. These groups are not "
    "to be reported as subtypes."
)
# What is said of the Jaccard index beside that of the numbers tried, of a network.
_STRICTER = (
    " Where the number of subtypes is judged, a network is made anew for each subsample: that is "
    "stricter."
)


def subtypes_section(source: Source) -> Section:
    """Return the section on subtypes."""
    sizes = subtype_sizes(source.subtypes)
    several = len(sizes) > 1
    blocks: list[Block] = [sample_map(source)]
    # Of one group there is nothing to compare.
    if several:
        blocks += [_sizes(source), *obs_by_subtype(source)]
    blocks.append(Heading("subtype-number", "How many subtypes?"))
    blocks += _choice(source)
    others = (*_numbers(source), *consensus_picture(source), *_clusterings(source))
    blocks.append(Fold("other-criteria", "Other criteria and other clusterings", others))
    found = run_subtypes(source.run)
    if several:
        blocks.append(Heading("subtype-samples", "Uncertain samples"))
        blocks += _uncertain(source)
        blocks.append(Heading("subtype-markers", "What marks each subtype"))
        blocks += _markers(source, found.apart_from_patterns)
    lead = (
        f"{count(len(sizes), 'subtype')}: groups of samples that lie together when all omics are "
        f"seen at once. S1 is the largest; the names have no other meaning.{_patterns(found)}"
        if several
        else "All samples are in one group, S1: "
        + ("none other was asked for." if found.asked else "no distinct groups were found.")
    )
    if several and source.model.diagnose().signatures:
        # Whoever comes here by a link has not read the verdict.
        blocks.insert(0, Notice(_FAILED, "warning"))
    return Section("subtypes", "Subtypes", blocks, lead)


def _patterns(found: Subtypes) -> str:
    """Say which of the groups are none of the disease."""
    return "".join(f" {sentence(each.message)}" for each in pattern_findings(found.patterns))


def subtype_sizes(subtypes: pd.Series) -> pd.Series:
    """Count the samples of each subtype, S1 first.

    Examples
    --------
    >>> subtype_sizes(pd.Series(["S10", "S2", "S2"])).to_dict()
    {'S2': 2, 'S10': 1}
    """
    counts = subtypes.value_counts()
    return counts.loc[sorted(counts.index, key=natural_order)]


def numbers_table(source: Source) -> pd.DataFrame:
    """Return the numbers of subtypes tried with their criteria: the run's, or its silhouettes."""
    found = source.get("subtype_numbers")
    if found is not None:
        return found
    from poems.files.csv_tables import read_csv

    table = read_csv(source.run.folder / "silhouette.csv").reset_index()
    table = table.rename(columns={table.columns[0]: "n_subtypes"})
    table["n_subtypes"] = table["n_subtypes"].astype(int)
    table["chosen"] = table["n_subtypes"] == source.subtypes.nunique()
    return table


def _sizes(source: Source) -> Block:
    sizes = subtype_sizes(source.subtypes)
    table = pd.DataFrame(
        {
            "subtype": sizes.index,
            "n_samples": sizes.to_numpy(),
            "share": sizes.to_numpy() / sizes.sum(),
        }
    )
    widths = source.run.subtypes["silhouette"].groupby(source.subtypes).mean()
    table["silhouette"] = table["subtype"].map(widths)
    stability = source.get("subtype_stability")
    if stability is not None:
        own = stability.set_index(stability["subtype"].astype(str))
        for name in ("consensus", "jaccard", "probability"):
            if name in own.columns:
                table[name] = table["subtype"].map(own[name])
    return make_table(
        "subtype-sizes",
        "The subtypes: their sizes, and how well they are found again.",
        table,
        [
            Column("subtype", "Subtype"),
            Column("n_samples", "Samples", "integer"),
            Column("share", "Share", "percent"),
            Column("silhouette", "Silhouette", "number", "Below 0: nearer another"),
            Column(
                "consensus", "Consensus", "number", "Of its pairs, share grouped together again"
            ),
            Column("jaccard", "Jaccard", "number", "Overlap with its match in repeats"),
            Column("probability", "Probability", "number", "Mean probability of assignment"),
        ],
        where=source.where("subtype_stability") if stability is not None else "subtypes.csv",
        note=source.absent("subtype_stability", "the subtypes' stability").text
        if stability is None
        else "Consensus and Jaccard are of subsamples of the embedding as it is."
        + (_STRICTER if source.metric == "network" else ""),
        sortable=False,
    )


def _choice(source: Source) -> list[Block]:
    """Say why there are so many, with the curves behind it."""
    from poems import plots

    found = run_subtypes(source.run)
    table = choice_table(found.tried)
    if not len(table):
        return [Text(found.explanation)]
    from matplotlib.figure import Figure

    named = table["along"].map(lambda along: listing(map(factor_title, str(along).split())))
    blocks: list[Block] = [Text(found.explanation)]
    several = table[table["n_subtypes"] > 1]
    if len(several):
        told = "; ".join(
            f"{row.n_subtypes}: {number(row.least_jaccard)} found again, {number(row.separation)} "
            f"apart against {number(row.without_groups)}, {row.verdict}"
            for row in several.itertuples()
        )
        blocks.append(
            picture(
                "subtype-choice",
                lambda: plots.plot_subtype_choice(
                    table, found.n_subtypes, Figure((PHONE_WIDTH, 2.9), layout="constrained")
                ),
                alt=f"What each number of subtypes has for it. {told}.",
                caption="Left: how well the subtype is found again, when samples are drawn anew, "
                "that has the least to spare for its size. Right: how many standard deviations the "
                "nearest two subtypes are apart, and what may be chance, by data with the same "
                "covariances but no groups. Filled: the number holds; grey: the number reported. "
                "Where none has a gap, that holds which is found again better than parts of such "
                "data.",
                where="subtype_choice.csv in the run folder",
            )
        )
    blocks.append(
        make_table(
            "subtype-numbers-tried",
            "Which numbers of subtypes hold.",
            table.assign(along=named),
            [
                Column("n_subtypes", "Subtypes", "integer"),
                Column("least_jaccard", "Found again", "number", _WEAKEST),
                Column("needed_jaccard", "Needed", "number", "Less for small subtypes"),
                Column("separation", "Apart (sd)", "number", "Nearest two subtypes"),
                Column("without_groups", "Without groups", "number", "What may be chance"),
                Column("mean_jaccard", "On average", "number", "Mean Jaccard index of all"),
                Column("again_without_groups", "By chance", "number", "Up to which, if asked"),
                Column("along", "Along", hint="Factors by which they differ most"),
                Column("smallest", "Smallest", "integer", "Samples, of at most 500"),
                Column("verdict", "Verdict"),
            ],
            where="subtype_choice.csv in the run folder",
            sortable=False,
        )
    )
    return blocks


def _numbers(source: Source) -> list[Block]:
    from poems import plots

    table = numbers_table(source)
    n_found = int(source.subtypes.nunique())
    blocks: list[Block] = []
    drawn = [name for name in _CRITERIA if name in table.columns and table[name].notna().any()]
    if len(table) > 1 and drawn:
        listed = "; ".join(
            f"{name}: {', '.join(number(value) for value in table[name])}" for name in drawn
        )
        blocks.append(
            picture(
                "subtype-criteria",
                lambda: plots.plot_subtype_numbers(table),
                alt=f"Criteria for {listing(table['n_subtypes'])} subtypes. {listed}. {n_found} "
                f"{verb(n_found, 'was', 'were')} formed.",
                caption="Other criteria for the number of subtypes, which do not decide; grey: the "
                "number that was formed. In a network's coordinates the silhouette rises with the "
                "number, whether there are groups or not.",
                where=source.where("subtype_numbers"),
            )
        )
    blocks.append(
        make_table(
            "subtype-numbers",
            "Other criteria for the numbers of subtypes that were tried.",
            table,
            [
                Column("n_subtypes", "Subtypes", "integer"),
                Column("silhouette", "Silhouette", "number", "Higher is better"),
                Column("smallest", "Smallest subtype", "integer"),
                Column("gap", "Gap", "number", "Higher is better"),
                Column("gap_se", "its standard error", "number"),
                Column("pac", "PAC", "number", "Share of ambiguous pairs: lower is better"),
                Column("mixture_weight", "Weight of the component", "number"),
                Column("chosen", "Chosen", "yes"),
            ],
            where=source.where("subtype_numbers")
            if source.get("subtype_numbers") is not None
            else "silhouette.csv in the run folder",
            sortable=False,
        )
    )
    return blocks


def _clusterings(source: Source) -> list[Block]:
    table = source.get("subtype_clusterings")
    if table is None or source.subtypes.nunique() < 2:
        return []
    return [
        make_table(
            "subtype-clusterings",
            "Do other ways of clustering find the same groups? Adjusted Rand index: 1 is the same, "
            "0 is chance.",
            table,
            [
                Column("clustering", "Clustering"),
                Column("n_subtypes", "Groups", "integer"),
                Column("other", "Beside"),
                Column("n_other", "Groups", "integer"),
                Column("ari", "ARI", "number"),
            ],
            where=source.where("subtype_clusterings"),
            sortable=False,
        )
    ]


def _uncertain(source: Source) -> list[Block]:
    table = source.get("subtype_samples")
    if table is None:
        return [source.absent("subtype_samples", "how sure each sample's subtype is")]
    unsure = table[truths(table["uncertain"])] if "uncertain" in table.columns else table.iloc[:0]
    if not len(unsure):
        return [Text("No sample is flagged as uncertain.")]
    order = [name for name in ("probability", "consensus", "silhouette") if name in unsure.columns]
    return [
        make_table(
            "uncertain-samples",
            f"Samples whose subtype is uncertain: {len(unsure)} of {len(table)}.",
            unsure.sort_values(order, kind="stable") if order else unsure,
            [
                Column("sample", "Sample"),
                Column("subtype", "Subtype"),
                Column("probability", "Probability", "number"),
                Column("consensus", "Consensus", "number", "Share of repeats with its subtype"),
                Column("next_subtype", "Next"),
                Column("next_consensus", "Consensus with that", "number"),
                Column("silhouette", "Silhouette", "number"),
            ],
            where=source.where("subtype_samples"),
        )
    ]


def truths(values: pd.Series) -> pd.Series:
    """Read truth values, however they were written.

    Examples
    --------
    >>> truths(pd.Series(["True", "False"])).tolist(), truths(pd.Series([1.0, 0.0])).tolist()
    ([True, False], [True, False])
    """
    return values.astype(str).str.lower().isin(["true", "1", "1.0"])


def top_markers(markers: pd.DataFrame, subtype: str, fdr: float = FDR) -> pd.DataFrame:
    """Return the markers of a subtype at a false discovery rate, the largest effects first.

    Examples
    --------
    >>> markers = pd.DataFrame({"subtype": ["S1", "S1"], "feature": ["a", "b"],
    ...     "effect": [0.5, -2.0], "q": [0.01, 0.01]})
    >>> top_markers(markers, "S1")["feature"].tolist()
    ['b', 'a']
    """
    own = markers[(markers["subtype"].astype(str) == subtype) & (markers["q"] <= fdr)]
    return own.sort_values("effect", key=abs, ascending=False, kind="stable")


def _markers(source: Source, names: list[str]) -> list[Block]:
    markers = source.get("markers")
    if markers is None:
        return [source.absent("markers", "markers of the subtypes")]
    panels = []
    for at, name in enumerate(names):
        blocks: list[Block] = [*volcano(source, name, at)]
        own = top_markers(markers, name)
        if not len(own):
            blocks.append(Text(f"No feature marks {name} at a false discovery rate of {FDR:.0%}."))
        for rank, view in enumerate(source.model.view_names if len(own) else ()):
            there = own[own["view"] == view]
            if not len(there):
                blocks.append(Text(f"No feature of {view} marks {name}."))
                continue
            blocks.append(
                make_table(
                    f"markers-{at}-{rank}",
                    f"{name}: markers among the features of {view}, {len(there)} at a false "
                    f"discovery rate of {FDR:.0%}.",
                    there,
                    [
                        Column("feature", "Feature"),
                        Column("effect", "Difference (sd)", "effect", "In standard deviations"),
                        Column("mean_in", "Mean inside", "general"),
                        Column("mean_out", "Mean outside", "general"),
                        Column("p", "p", "p"),
                        Column("q", "FDR q", "p"),
                    ],
                    where=source.where("markers"),
                    limit=_MARKERS,
                )
            )
        panels.append(Panel(f"markers-{at}", f"Subtype {name}", tuple(blocks), name))
    samples = tuple(marker_heatmap(source))
    return [
        *_drawn(source, markers),
        *(
            [Fold("marker-samples", "The same markers, sample by sample", samples)]
            if samples
            else []
        ),
        Picker("marker-picker", "Show", tuple(panels)),
    ]


def _drawn(source: Source, markers: pd.DataFrame) -> list[Block]:
    from poems import plots

    if not (markers["q"] <= FDR).any():
        return []
    each = max(1, min(_DRAWN, _ROWS // (markers["subtype"].nunique() * markers["view"].nunique())))
    return [
        picture(
            "markers",
            lambda: plots.plot_markers(markers, each, fdr=FDR),
            alt="Dots of the strongest markers (rows) in each subtype (columns), red where the "
            "feature is higher, blue where lower. The tables below have the numbers.",
            caption=f"The strongest markers of each subtype, at most {each} an omic and subtype, "
            "in all subtypes. Red: higher, blue: lower; a larger dot: a larger difference; pale: "
            f"no marker at a false discovery rate of {FDR:.0%}.",
            where=source.where("markers"),
        )
    ]
