"""The four groups of settings: frozen, validated, and the only home of every default.

The command line's flags, the TOML file and the keyword arguments of
:func:`poems.fit` are all derived from the classes here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from poems.errors import SettingsError
from poems.findings import name_some
from poems.settings.one_of import OneOf
from poems.settings.parts import DECODERS, FUSIONS, GATES, LIKELIHOODS, PRIORS, SIZES, STARTS

Precision = Literal["float32", "tf32", "bf16"]

# In place of a likelihood's name: chosen by a view's values.
AUTO: Final = "auto"

# From this correlation on two features say the same, where `redundancy` is "correlation".
ALIKE: Final = 0.8

# Far beyond what helps a fit; more would be a slip of the finger, and take all memory or time.
MOST_FACTORS, MOST_LAYERS, MOST_UNITS, MOST_EPOCHS = 1000, 16, 16_384, 1_000_000
LARGEST_RATE = 1e6
# Squares and quotients of smaller ones leave single precision.
SMALLEST_RATE = 1e-6


class Group(BaseModel):
    """Settings that are frozen, and none but those that are named."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PreprocessingSettings(Group):
    """How each view is brought to a common scale."""

    scale: Literal["standard", "minmax", "none"] = Field(
        "standard", description="Scaling of each feature, learned on the training samples."
    )
    winsorise: float | None = Field(
        5.0,
        ge=2,
        le=1e6,
        description="Clip at this many standard deviations, counting the cells (none: do not).",
    )
    log1p: tuple[str, ...] = Field(
        (), description="Views to transform by log(1 + x) first, for raw counts."
    )
    most_variable: int | None = Field(
        None, ge=1, description="Keep at most this many features a view, the most variable ones."
    )
    screening: Literal["auto", "none"] = Field(
        "auto",
        description="Set the least variable features aside where samples are too few to tell a "
        "loading of so many (some 30), or none.",
    )
    size_factors: Annotated[
        str | dict[str, str],
        OneOf(SIZES, otherwise=("obs:", "COLUMN"), formerly=(("total", "totals"),)),
    ] = Field(
        "totals",
        description="How much of a sample was counted, for likelihoods of counts, for all views "
        "or by view: its total, the median of ratios of pooled counts, alike (none), or a column "
        "of the table of the samples.",
    )

    def sizes_of(self, view: str) -> str:
        """Return where the sizes of a view's samples come from.

        >>> PreprocessingSettings(size_factors={"rna": "obs:depth"}).sizes_of("rna")
        'obs:depth'
        """
        if isinstance(self.size_factors, str):
            return self.size_factors
        default: str = type(self).model_fields["size_factors"].default
        return self.size_factors.get(view, default)


class ModelSettings(Group):
    """The architecture."""

    n_latent: int = Field(
        16, ge=1, le=MOST_FACTORS, description="Factors to start from; unneeded ones are pruned."
    )
    encoder_layers: tuple[int, ...] = Field(
        (100, 100), description="Hidden units of each encoder layer."
    )
    encoder_dropout: float = Field(0.2, ge=0, lt=1, description="Dropout in the encoders.")
    gate: Annotated[str, OneOf(GATES)] = Field(
        "learned", description="How the views' weights are computed for each sample."
    )
    gate_hidden: int = Field(
        64, ge=1, le=MOST_UNITS, description="Hidden units of the learned gate."
    )
    fusion: Annotated[str, OneOf(FUSIONS)] = Field(
        "poe",
        description="Fusion of the views: product of experts, with a prior expert, or mixture.",
    )
    decoder: Annotated[str, OneOf(DECODERS)] = Field(
        "sparse", description="Sparse decoder (POEMS) or an ordinary dense one (POEM)."
    )
    decoder_hidden: int = Field(
        32, ge=1, le=MOST_UNITS, description="Hidden units of each view's decoder."
    )
    decoder_dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout on the decoder's hidden units."
    )
    kernel: Literal["auto", "reference", "blockwise", "sparse"] = Field(
        "auto",
        description="How the sparse decoder is computed; all give the same result, at different "
        "speeds, and auto chooses.",
    )
    normalise: bool = Field(
        True, description="Hold the decoder's norms fixed, so that loadings are comparable."
    )
    prior: Annotated[str, OneOf(PRIORS)] = Field(
        "normal", description="Prior on the latents: N(0, I) or a learned Gaussian mixture."
    )
    n_components: int = Field(
        8,
        ge=1,
        le=MOST_FACTORS,
        description="Components that the mixture prior starts from; unneeded ones go.",
    )
    concentration: float | None = Field(
        None,
        description="Dirichlet concentration of the components' weights; smaller empties more "
        "of them (none: by minimum message length).",
    )
    start: Annotated[str, OneOf(STARTS)] = Field(
        "sparse_linear", description="Start the loadings from a rotated PCA, or at random."
    )
    likelihood: Annotated[str | dict[str, str], OneOf(LIKELIHOODS, also=AUTO)] = Field(
        AUTO,
        description="How values scatter about what is predicted: for all views, or by view (then "
        "auto for the others); auto chooses by a view's values, gaussian unless they are "
        "evidently of another kind.",
    )

    redundancy: Literal["correlation", "none"] = Field(
        "correlation",
        description="How much a feature counts: features of a view that say the same, by their "
        "correlations, count less (c of them as the root of c), or each counts in full (none).",
    )
    inference: Literal["exact", "amortised"] = Field(
        "exact",
        description="Latents of a trained model: exact, by what the decoders say of the measured "
        "entries, or as the encoders answer.",
    )
    background: int | None = Field(
        None,
        ge=0,
        le=MOST_FACTORS,
        description="Dense background factors at most, beside the sparse ones, with exact "
        "inference (none: as many as the data support; 0: without).",
    )

    def likelihoods_of(self, views: Sequence[str]) -> list[str]:
        """Return the name of each view's likelihood: gaussian where none was chosen yet.

        A fit chooses by the values, and keeps what it chose in its settings.

        Raises
        ------
        SettingsError
            If one is given for a view that is not among them.

        Examples
        --------
        >>> ModelSettings().likelihoods_of(["rna", "protein"])
        ['gaussian', 'gaussian']
        """
        given = self._likelihoods_given(views)
        return ["gaussian" if name == AUTO else name for name in given]

    def to_be_chosen(self, views: Sequence[str]) -> list[str]:
        """Return the views whose likelihood is chosen by their values.

        Raises
        ------
        SettingsError
            As :meth:`likelihoods_of`.

        Examples
        --------
        >>> ModelSettings(likelihood={"calls": "bernoulli"}).to_be_chosen(["rna", "calls"])
        ['rna']
        """
        given = self._likelihoods_given(views)
        return [view for view, name in zip(views, given, strict=True) if name == AUTO]

    def _likelihoods_given(self, views: Sequence[str]) -> list[str]:
        if isinstance(self.likelihood, str):
            return [self.likelihood] * len(views)
        unknown = [name for name in self.likelihood if name not in views]
        if unknown:
            raise SettingsError(
                f"likelihood names the view {name_some(unknown)}; there are {name_some(views, 20)}"
            )
        default = type(self).model_fields["likelihood"].default
        return [self.likelihood.get(name, default) for name in views]

    @field_validator("encoder_layers")
    @classmethod
    def _layers_have_units(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if any(units < 1 for units in layers):
            raise ValueError("every layer needs at least 1 hidden unit")
        if len(layers) > MOST_LAYERS or any(units > MOST_UNITS for units in layers):
            raise ValueError(f"at most {MOST_LAYERS} layers of at most {MOST_UNITS} units")
        return layers

    @model_validator(mode="after")
    def _kernel_can_drop(self) -> ModelSettings:
        if self.decoder_dropout > 0 and self.kernel in ("reference", "sparse"):
            raise ValueError(
                f"kernel '{self.kernel}' cannot drop hidden units; set decoder_dropout to 0, or "
                "kernel to auto or blockwise"
            )
        return self


class SparsitySettings(Group):
    """The spike-and-slab lasso on the loadings."""

    proximal: bool = Field(
        True, description="Exact zeros by a proximal step; otherwise the penalty is differentiated."
    )
    lambda_slab: float = Field(
        1.0,
        ge=SMALLEST_RATE,
        le=LARGEST_RATE,
        description="Rate of the slab, for loadings that are in; larger is sparser.",
    )
    lambda_spike: float | None = Field(
        None,
        ge=SMALLEST_RATE,
        le=LARGEST_RATE,
        description="Fixed rate of the spike; none sets it from the data.",
    )
    # Beyond its default the inclusion probability of every small loading nears one before the
    # ramp has had time to shrink it, and the result is denser again: hence the bound.
    lambda_spike_scale: float = Field(
        1.5,
        ge=SMALLEST_RATE,
        le=2,
        description="Constant c of the spike's rate c sqrt(2 N log(D K)) / sigma; smaller is "
        "denser (for sparser, raise lambda_slab).",
    )
    slab: bool = Field(
        True,
        description="Spike-and-slab lasso; without, a plain L1 at the spike's rate (ablation).",
    )
    theta_b: float = Field(
        1.0,
        ge=SMALLEST_RATE,
        le=LARGEST_RATE,
        description="Second parameter of the Beta prior on inclusion, per feature.",
    )
    density_ratio: bool = Field(
        True, description="Keep log(lambda_slab / lambda_spike) in the inclusion log-odds."
    )
    ramp_start: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of training before the spike; until then zero loadings rest.",
    )
    ramp_end: float = Field(0.85, ge=0, le=1, description="Share of training at its full rate.")

    @model_validator(mode="after")
    def _ramp_in_order(self) -> SparsitySettings:
        if self.ramp_end < self.ramp_start:
            raise ValueError("ramp_end must not be before ramp_start")
        return self

    @model_validator(mode="after")
    def _spike_steeper_than_slab(self) -> SparsitySettings:
        if self.lambda_spike is not None and self.lambda_spike < self.lambda_slab:
            raise ValueError("lambda_spike must not be below lambda_slab")
        return self


# How long training takes by default (docs/design.md, "How long to train").
_EPOCHS, _FEWEST_STEPS, _MOST_STEPS = 30, 160, 20_000


class TrainingSettings(Group):
    """The optimisation."""

    epochs: int | None = Field(
        None,
        ge=1,
        le=MOST_EPOCHS,
        description="Most passes over the cohort (none: 30, more if they are few steps, fewer if "
        "they are very many).",
    )
    batch_size: int = Field(128, ge=1, le=MOST_EPOCHS, description="Samples in a mini-batch.")
    learning_rate: float = Field(5e-3, gt=0, le=10, description="Step size of AdamW.")
    final_learning_rate: float = Field(
        0.1, gt=0, le=1, description="Share of the step size left at the end, once ramps are over."
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="Weight decay of encoders and gate (never of the loadings)."
    )
    kl_weight: float = Field(
        1.0, ge=0, le=LARGEST_RATE, description="Weight (beta) of the KL term."
    )
    kl_warmup: float = Field(
        0.2, ge=0, le=1, description="Share of training over which the KL weight rises from 0."
    )
    reduction: Literal["sum", "mean"] = Field(
        "sum", description="Sum over features and latents, or the paper's means."
    )
    stopping: Literal["plateau", "held_out", "none"] = Field(
        "plateau", description="Stop when the objective, or a held-out one, no longer falls."
    )
    patience: int = Field(
        30, ge=1, le=MOST_EPOCHS, description="Epochs without progress before stopping."
    )
    held_out: float = Field(
        0.1, gt=0, lt=1, description="Share of the samples held out when stopping is 'held_out'."
    )
    max_grad_norm: float = Field(
        100.0, gt=0, le=1e12, description="Gradients are scaled down to this norm."
    )
    precision: Precision = Field(
        "float32",
        description="Of products in encoders and dense decoders while training; tf32 and bf16 are "
        "for GPUs.",
    )

    def n_epochs(self, n_samples: int) -> int:
        """Number of passes over so many samples: ``epochs`` if it is given.

        Otherwise 30, but at least as many as make 160 steps, and no more than make
        20,000, or two if that is more.

        >>> [TrainingSettings().n_epochs(n) for n in (100, 250, 1000, 1_000_000)]
        [160, 80, 30, 3]
        """
        if self.epochs is not None:
            return self.epochs
        steps = math.ceil(n_samples / self.batch_size)
        most = max(2, math.ceil(_MOST_STEPS / steps))
        return min(most, max(_EPOCHS, math.ceil(_FEWEST_STEPS / steps)))
