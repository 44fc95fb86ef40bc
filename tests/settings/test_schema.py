from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from poems.errors import SettingsError
from poems.settings.groups import TrainingSettings
from poems.settings.schema import (
    PRESETS,
    Settings,
    group_of,
    setting_groups,
    settings_from_mapping,
)

FIELDS = [(group, name) for group, model in setting_groups().items() for name in model.model_fields]


@pytest.mark.parametrize("name", ["lambda_slab", "lambda_spike", "lambda_spike_scale", "theta_b"])
def test_rates_that_single_precision_cannot_divide_by_are_refused(name: str) -> None:
    with pytest.raises(
        SettingsError, match=f"{name}: .*greater than or equal to 0.000001 .*1e-300"
    ):
        Settings().updated(**{name: 1e-300})


def test_the_defaults_are_these() -> None:
    """The measured defaults of the method: to change one is a decision."""
    settings = Settings()
    assert settings.preprocessing.scale == "standard"
    assert settings.preprocessing.winsorise == 5.0
    assert settings.model.n_latent == 16
    assert settings.model.fusion == "poe"
    assert settings.model.normalise
    assert settings.sparsity.proximal
    assert settings.sparsity.density_ratio
    assert settings.sparsity.lambda_spike is None
    assert settings.sparsity.lambda_spike_scale == 1.5
    assert (settings.sparsity.ramp_start, settings.sparsity.ramp_end) == (0.5, 0.85)
    assert settings.training.reduction == "sum"
    assert settings == Settings.preset("default")


def test_the_published_settings_are_those_of_the_paper() -> None:
    paper = Settings.preset("paper")
    assert (paper.model.n_latent, paper.model.encoder_layers) == (32, (100, 100))
    assert (paper.model.decoder_dropout, paper.model.normalise) == (0.2, False)
    assert (paper.sparsity.lambda_spike, paper.sparsity.lambda_slab) == (5.0, 0.5)
    assert (paper.sparsity.proximal, paper.sparsity.density_ratio) == (False, False)
    assert paper.sparsity.theta_b == 0.1
    assert paper.training.learning_rate == 9e-4
    assert paper.training.weight_decay == 1e-4
    assert (paper.training.batch_size, paper.training.epochs) == (512, 5000)
    assert (paper.training.reduction, paper.training.patience) == ("mean", 30)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    settings = Settings.preset(name)
    assert settings_from_mapping(json.loads(settings.model_dump_json())) == settings


def test_names_are_unique_over_groups_and_described() -> None:
    names = [name for _, name in FIELDS]
    assert len(set(names)) == len(names)
    for group, name in FIELDS:
        assert group_of(name) == group
        assert setting_groups()[group].model_fields[name].description


def test_settings_are_frozen() -> None:
    settings: BaseModel = Settings().training
    with pytest.raises(ValidationError, match="frozen"):
        settings.epochs = 3  # type: ignore[attr-defined]


@given(st.integers(1, 10**6), st.floats(1e-9, 10), st.sampled_from(["poe", "poe_prior", "moe"]))
def test_single_settings_are_changed_by_name(epochs: int, rate: float, fusion: str) -> None:
    changed = Settings().updated(epochs=epochs, learning_rate=rate, fusion=fusion)
    assert changed.training.epochs == epochs
    assert changed.training.learning_rate == rate
    assert changed.model.fusion == fusion
    reverted = changed.updated(
        epochs=TrainingSettings().epochs,
        learning_rate=TrainingSettings().learning_rate,
        fusion="poe",
    )
    assert reverted == Settings()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_latent": 0}, r"model\.n_latent: .*greater than or equal to 1 \(got 0\)"),
        ({"n_latent": 2.5}, r"model\.n_latent: .*integer.* \(got 2\.5\)"),
        ({"encoder_dropout": 1.0}, r"model\.encoder_dropout: .*less than 1"),
        ({"encoder_layers": (10, 0)}, "every layer needs at least 1 hidden unit"),
        (
            {"fusion": "sum"},
            r"model\.fusion: .*no fusion 'sum'; there are poe, poe_prior, moe .* \(got 'sum'\)",
        ),
        ({"learning_rate": float("nan")}, r"training\.learning_rate: .*finite"),
        ({"kl_weight": float("inf")}, r"training\.kl_weight: .*finite"),
        ({"winsorise": -1.0}, r"preprocessing\.winsorise: .*greater than or equal to 2"),
        ({"held_out": 1.0}, r"training\.held_out: .*less than 1"),
        ({"kernel": "sparse", "decoder_dropout": 0.1}, "kernel 'sparse' cannot drop hidden units"),
        ({"ramp_start": 0.9}, "ramp_end must not be before ramp_start"),
        ({"epochs": 0, "patience": 0}, r"training\.epochs: .*; training\.patience: "),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=f"settings are not valid: .*{message}"):
        Settings().updated(**changes)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"no setting 'latents'; there are background, batch_size, .*winsorise"
    ):
        Settings().updated(latents=3)
    with pytest.raises(SettingsError, match=r"model\.latents: Extra inputs are not permitted"):
        settings_from_mapping({"model": {"latents": 3}})
    with pytest.raises(SettingsError, match=r"modell: Extra inputs are not permitted"):
        settings_from_mapping({"modell": {}})
    with pytest.raises(SettingsError, match="no preset 'fast'; there are default, paper"):
        Settings.preset("fast")
