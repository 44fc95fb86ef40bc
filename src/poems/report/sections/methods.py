"""How it was computed, and what the words mean."""

from __future__ import annotations

import platform

import pandas as pd

from poems.report.blocks import Block, Fold, Section, Terms
from poems.report.methods import GLOSSARY, METHODS
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import listing


def methods_section(source: Source) -> Section:
    """Return the section on how things were computed, with settings, versions and words."""
    model = source.model
    settings = pd.DataFrame(
        [
            (group, name, _setting(value))
            for group, values in model.settings.model_dump().items()
            for name, value in values.items()
        ],
        columns=["group", "name", "value"],
    )
    versions = pd.DataFrame(
        [*dict(model.versions).items(), ("python (of this report)", platform.python_version())],
        columns=["name", "version"],
    )
    kept = (
        make_table(
            "settings-table",
            f"Settings of the fit (seed {model.seed}).",
            settings,
            [Column("group", "Part"), Column("name", "Setting"), Column("value", "Value")],
            where="settings.toml in the run folder",
        ),
        make_table(
            "versions",
            "Versions the model was fitted with.",
            versions,
            [Column("name", "Program"), Column("version", "Version")],
            where="run.json in the run folder",
            sortable=False,
        ),
    )
    blocks: list[Block] = [
        Fold("methods-fold", "How each thing is computed", (Terms("methods-list", METHODS),)),
        Fold("glossary", "What the words mean", (Terms("glossary-list", GLOSSARY),)),
        Fold("settings", "Settings and versions", kept),
    ]
    return Section("methods", "How it was computed", blocks)


def _setting(value: object) -> str:
    if isinstance(value, list | tuple):
        return listing(value) or "none"
    return "none" if value is None else str(value)
