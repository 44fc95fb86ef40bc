from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.errors import SettingsError
from poems.settings.schema import PRESETS, Settings, settings_from_mapping
from poems.settings.toml_file import none_if_off, read_settings, settings_to_toml


def _round_trip(settings: Settings, folder: Path) -> Settings:
    path = folder / "settings.toml"
    path.write_text(settings_to_toml(settings), encoding="utf-8")
    return settings_from_mapping(read_settings(path))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_the_file(preset: str, tmp_path: Path) -> None:
    settings = Settings.preset(preset)
    assert _round_trip(settings, tmp_path) == settings


@given(
    views=st.lists(st.text(min_size=1, max_size=8)).map(tuple),
    layers=st.lists(st.integers(1, 999), max_size=3).map(tuple),
    rate=st.floats(1e-12, 10),
    winsorise=st.none() | st.floats(2, 50),
    proximal=st.booleans(),
    likelihood=st.just("gaussian") | st.dictionaries(st.text(max_size=8), st.just("gaussian")),
)
def test_any_settings_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    views: tuple[str, ...],
    layers: tuple[int, ...],
    rate: float,
    winsorise: float | None,
    proximal: bool,
    likelihood: str | dict[str, str],
) -> None:
    settings = Settings().updated(
        likelihood=likelihood,
        log1p=views,
        encoder_layers=layers,
        learning_rate=rate,
        winsorise=winsorise,
        proximal=proximal,
    )
    assert _round_trip(settings, tmp_path_factory.mktemp("toml")) == settings


def test_the_word_none_switches_off_only_what_can_be_off() -> None:
    assert none_if_off("lambda_spike", "none") is None
    assert none_if_off("scale", "none") == "none"
    assert none_if_off("winsorise", 3.0) == 3.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[model]\nn_latnet = 3", r"no setting 'n_latnet' in \[model\] \(there are n_latent"),
        ("[modle]\nn_latent = 3", "no group 'modle'"),
        ("epochs = 3", r"no group 'epochs' .*write it under \[training\]"),
        ("model = 3", r"'model' must be a table"),
        ("[model", "is not a TOML file"),
        ("[model]\nn_latent = " + "1" * 5000, "whole number of thousands of digits"),
        ("a = " + "[" * 5000 + "]" * 5000, "nests brackets too deeply"),
    ],
)
def test_mistakes_in_the_file_are_named(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=expected):
        read_settings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read settings from .*absent\.toml"):
        read_settings(tmp_path / "absent.toml")
