"""Networks of pairs: ids, tables and GraphML, whatever the names are."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from poems.analysis.pairs.graph import pair_graph, write_graph

NAMES = ["<script>", "a\x00b", "a\x01b", "=cmd()", "a,b", "日本&\n", "\ud800", "x" * 300]


def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view_a": "v:1",
            "feature_a": NAMES,
            "view_b": "v",
            "feature_b": ["1:<script>", *NAMES[1:]],
            "factors": ["factor_1", "factor_1+factor_2", *["factor_2"] * 6],
            "score": [0.5, -0.25, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1],
            "correlation": [np.nan, *[0.5] * 7],
            "n_samples": 20,
        }
    )


def test_ids_are_unique_also_where_names_collide() -> None:
    nodes, edges = pair_graph(pairs())
    assert len(nodes) == 16
    assert nodes["id"].is_unique
    assert "v:1:<script>" in set(nodes["id"])
    assert "v:1:<script> (2)" in set(nodes["id"])
    assert list(nodes["feature"][:2]) == ["<script>", "1:<script>"]
    assert edges["sign"].tolist()[:3] == ["+", "-", ""]
    known = set(nodes["id"])
    assert set(edges["source"]) | set(edges["target"]) == known


def test_graphml_is_read_back_whatever_the_names(tmp_path: Path) -> None:
    table = pairs().drop(index=6)  # no file holds half a surrogate pair
    names = write_graph(tmp_path, table)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    graph = nx.read_graphml(tmp_path / "cross_omic.graphml")
    nodes = pd.read_csv(tmp_path / "cross_omic_nodes.csv", keep_default_na=False)
    assert len(graph) == len(nodes) == 14
    assert graph.number_of_edges() == 7
    first = graph.edges["v:1:<script>", "v:1:<script> (2)"]
    assert first["score"] == 0.5
    assert "correlation" not in first
    assert first["n_samples"] == 20
    assert graph.nodes["v:1:a\ufffdb"]["feature"] == "a\ufffdb"
    assert set(graph.nodes) >= {"v:1:a\ufffdb (2)", "v:1:=cmd()", "v:1:a,b"}


def test_surrogates_do_not_break_graphml(tmp_path: Path) -> None:
    nodes, _ = pair_graph(pairs().iloc[[6]])
    assert nodes["id"].tolist() == ["v:1:\ufffd", "v:\ufffd"]


def test_no_pairs_are_an_empty_network(tmp_path: Path) -> None:
    write_graph(tmp_path, pairs().head(0))
    assert len(nx.read_graphml(tmp_path / "cross_omic.graphml")) == 0
    assert len(pd.read_csv(tmp_path / "cross_omic_edges.csv")) == 0
