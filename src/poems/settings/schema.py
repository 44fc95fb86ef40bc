"""All settings of a fit together, presets of them, and where to find one by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from poems.errors import SettingsError
from poems.settings.groups import (
    Group,
    ModelSettings,
    PreprocessingSettings,
    SparsitySettings,
    TrainingSettings,
)

Metric = Literal["network", "latent", "gram", "decoded"]

# The largest seed that every library in use takes.
LARGEST_SEED = 2**32 - 1


class Settings(Group):
    """All settings of a fit, in four groups.

    Examples
    --------
    >>> Settings().model.n_latent
    16
    >>> Settings.preset("paper").sparsity.lambda_spike
    5.0
    >>> Settings().updated(n_latent=32, epochs=50).training.epochs
    50
    """

    preprocessing: PreprocessingSettings = PreprocessingSettings()
    model: ModelSettings = ModelSettings()
    sparsity: SparsitySettings = SparsitySettings()
    training: TrainingSettings = TrainingSettings()

    @classmethod
    def preset(cls, name: str) -> Settings:
        """Return the settings called ``name``: ``"default"`` or ``"paper"``.

        Raises
        ------
        SettingsError
            If there is no such preset.
        """
        if name not in PRESETS:
            raise SettingsError(f"no preset '{name}'; there are {', '.join(PRESETS)}")
        return settings_from_mapping(PRESETS[name])

    def updated(self, **changes: Any) -> Settings:
        """Return a copy with single settings changed, named without their group.

        Raises
        ------
        SettingsError
            If a name is unknown or a value out of range.
        """
        groups = self.model_dump()
        for name, value in changes.items():
            groups[group_of(name)][name] = value
        return settings_from_mapping(groups)


# The published settings (arXiv 2511.03464 and its code); everything else is the default.
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "paper": {
        "preprocessing": {"scale": "minmax", "winsorise": None, "screening": "none"},
        "model": {
            "n_latent": 32,
            "decoder_hidden": 100,
            "decoder_dropout": 0.2,
            "normalise": False,
            "start": "random",
            "likelihood": "gaussian",
            "redundancy": "none",
            "inference": "amortised",
        },
        "sparsity": {
            "proximal": False,
            "lambda_spike": 5.0,
            "lambda_slab": 0.5,
            "theta_b": 0.1,
            "density_ratio": False,
            "ramp_start": 0.0,
            "ramp_end": 0.0,
        },
        "training": {
            "epochs": 5000,
            "batch_size": 512,
            "learning_rate": 9e-4,
            "final_learning_rate": 1.0,
            "weight_decay": 1e-4,
            "kl_warmup": 0.0,
            "reduction": "mean",
            "stopping": "held_out",
            "patience": 30,
        },
    },
}


def setting_groups() -> dict[str, type[BaseModel]]:
    """Return the settings classes by the name of their group."""
    return {
        name: info.annotation
        for name, info in Settings.model_fields.items()
        if isinstance(info.annotation, type)
    }


def group_of(name: str) -> str:
    """Return the group that holds the setting ``name``.

    Raises
    ------
    SettingsError
        If no group holds it.

    Examples
    --------
    >>> group_of("n_latent")
    'model'
    """
    groups = setting_groups()
    for group, settings in groups.items():
        if name in settings.model_fields:
            return group
    known = sorted(key for settings in groups.values() for key in settings.model_fields)
    raise SettingsError(f"no setting '{name}'; there are {', '.join(known)}")


def settings_from_mapping(values: Mapping[str, Any]) -> Settings:
    """Validate nested settings, as read from TOML or JSON.

    Raises
    ------
    SettingsError
        If a name is unknown or a value is not allowed; the text names it.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, item['loc']))}: {item['msg']} (got {item['input']!r})"
            for item in error.errors()
        ]
        raise SettingsError("settings are not valid: " + "; ".join(lines)) from None
