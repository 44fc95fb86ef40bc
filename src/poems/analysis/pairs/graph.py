"""Cross-omic pairs as a network: tables of nodes and edges, and GraphML, for Cytoscape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from poems.files.atomic import atomic_path
from poems.files.csv_tables import write_csv


def pair_graph(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn pairs of features into nodes and edges.

    Parameters
    ----------
    pairs
        The table of :func:`poems.analysis.pairs.cross_omic`.

    Returns
    -------
    nodes
        A row per feature, in the order in which the pairs name them: ``id``, which is
        unique and holds no character that GraphML forbids, ``view``, ``feature``,
        ``n_pairs``, ``strength`` (the sum of the sizes of its scores) and ``factors``.
    edges
        A row per pair: ``source``, ``target`` (ids of nodes), ``sign`` (``"+"``,
        ``"-"``, or empty for a score of 0), then the columns of the pairs.

    Examples
    --------
    >>> pairs = pd.DataFrame(
    ...     {
    ...         "view_a": "rna",
    ...         "feature_a": ["ESR1", "KRT5"],
    ...         "view_b": "protein",
    ...         "feature_b": "ER-alpha",
    ...         "factors": "factor_1",
    ...         "score": [0.8, -0.4],
    ...     }
    ... )
    >>> nodes, edges = pair_graph(pairs)
    >>> nodes[["id", "n_pairs"]].to_numpy().tolist()
    [['rna:ESR1', 1], ['protein:ER-alpha', 2], ['rna:KRT5', 1]]
    >>> edges[["source", "target", "sign"]].to_numpy().tolist()[1]
    ['rna:KRT5', 'protein:ER-alpha', '-']
    """
    ends = [
        list(zip(pairs[f"view_{side}"], pairs[f"feature_{side}"], strict=True)) for side in "ab"
    ]
    order = dict.fromkeys(end for both in zip(*ends, strict=True) for end in both)
    ids = dict(zip(order, _unique([f"{view}:{feature}" for view, feature in order]), strict=True))
    nodes = pd.DataFrame(
        {
            "id": list(ids.values()),
            "view": [view for view, _ in order],
            "feature": [feature for _, feature in order],
        }
    )
    sides = pd.concat(
        [
            pd.DataFrame(
                {
                    "id": [ids[end] for end in side],
                    "size": pairs["score"].abs().to_numpy(),
                    "factors": pairs["factors"].to_numpy(),
                }
            )
            for side in ends
        ]
    )
    by = sides.groupby("id", sort=False)
    nodes["n_pairs"] = nodes["id"].map(by.size()).astype("int64")
    nodes["strength"] = nodes["id"].map(by["size"].sum()).astype("float64")
    nodes["factors"] = nodes["id"].map(by["factors"].agg(_together)).astype(object)
    edges = pd.DataFrame(
        {
            "source": [ids[end] for end in ends[0]],
            "target": [ids[end] for end in ends[1]],
            "sign": ["+" if each > 0 else "-" if each < 0 else "" for each in pairs["score"]],
        }
    )
    rest = pairs.reset_index(drop=True)
    return nodes, pd.concat([edges, rest], axis=1)


def write_graph(folder: str | Path, pairs: pd.DataFrame, stem: str = "cross_omic") -> list[str]:
    """Write the network of pairs as GraphML, nodes and edges as csv, each file whole or not at all.

    In csv names are as in the data; in GraphML characters that XML forbids are
    replaced.

    Parameters
    ----------
    folder
        Where to.
    pairs
        The table of :func:`poems.analysis.pairs.cross_omic`.
    stem
        How the names of the files begin.

    Returns
    -------
    The names of the files.
    """
    nodes, edges = pair_graph(pairs)
    names = [f"{stem}_nodes.csv", f"{stem}_edges.csv", f"{stem}.graphml"]
    write_csv(Path(folder) / names[0], nodes, index=False)
    write_csv(Path(folder) / names[1], edges, index=False)
    import networkx as nx

    graph = nx.Graph()
    for node in nodes.to_dict("records"):
        graph.add_node(node["id"], label=xml_text(node["feature"]), **_plain(node, {"id"}))
    for edge in edges.to_dict("records"):
        graph.add_edge(edge["source"], edge["target"], **_plain(edge, {"source", "target"}))
    with atomic_path(Path(folder) / names[2]) as temporary:
        nx.write_graphml_xml(graph, temporary, encoding="utf-8")
    return names


def xml_text(text: object) -> str:
    """Return text with every character that XML 1.0 forbids replaced by U+FFFD.

    Examples
    --------
    >>> xml_text("a" + chr(0) + "b<c>")
    'a\ufffdb<c>'
    """
    return "".join(c if _allowed(ord(c)) else "\ufffd" for c in str(text))


def _allowed(code: int) -> bool:
    # Not the whole of XML's Char: of control characters none but the tab, as a line break in an
    # attribute does not survive reading.
    return code == 0x9 or 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xD7FF or (
        0xE000 <= code <= 0xFFFD or code >= 0x10000
    )  # fmt: skip


def _unique(names: list[str]) -> list[str]:
    """Clean names, and number those that are alike then."""
    seen: set[str] = set()
    unique = []
    for name in map(xml_text, names):
        candidate, turn = name, 1
        while candidate in seen:
            turn += 1
            candidate = f"{name} ({turn})"
        seen.add(candidate)
        unique.append(candidate)
    return unique


def _plain(record: dict[Any, Any], without: set[str]) -> dict[str, Any]:
    """Return what GraphML can hold: numbers and clean text, without what is missing."""
    kept: dict[str, Any] = {}
    for name, value in record.items():
        if name in without or (isinstance(value, float) and value != value):
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        kept[str(name)] = value if number else xml_text(value)
    return kept


def _together(factors: pd.Series) -> str:
    """Join the factors of several pairs, each once."""
    return "+".join(dict.fromkeys(name for each in factors for name in str(each).split("+")))
