"""What each part of POEMS buys: the default with one part left out or replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from poems.settings.schema import Metric, Settings


class Ablation(NamedTuple):
    """Settings to override and the embedding to take, and how tables call the result."""

    name: str
    overrides: Mapping[str, Any]
    metric: Metric | None = None


_CANDIDATES: Mapping[str, Ablation] = {
    "dense": Ablation("dense decoder (POEM)", {"decoder": "dense"}),
    "gate-equal": Ablation("equal gate", {"gate": "equal"}),
    "gate-linear": Ablation("linear gate", {"gate": "linear"}),
    "gate-learned": Ablation("learned gate", {"gate": "learned"}),
    "poe": Ablation("product of experts", {"fusion": "poe"}),
    "poe-prior": Ablation("prior expert", {"fusion": "poe_prior"}),
    "moe": Ablation("mixture of experts", {"fusion": "moe"}),
    # One rate for all loadings: the universal threshold itself, at each feature's noise. The
    # default's factor of 1.5 is for a spike that loadings can leave; here nothing does.
    "l1": Ablation("plain L1", {"slab": False, "lambda_spike_scale": 1.0}),
    "prior-normal": Ablation("N(0, I) prior", {"prior": "normal"}),
    "prior-mixture": Ablation("mixture prior", {"prior": "mixture"}),
    "k16": Ablation("K = 16", {"n_latent": 16}),
    "k32": Ablation("K = 32", {"n_latent": 32}),
    "k64": Ablation("K = 64", {"n_latent": 64}),
    "random-start": Ablation("random start", {"start": "random"}),
    "no-normalise": Ablation("norms not held", {"normalise": False}),
    "latent": Ablation("latents", {}, "latent"),
    "gram": Ablation("Gram metric", {}, "gram"),
    "decoded": Ablation("decoded means", {}, "decoded"),
    "no-dropout": Ablation("no dropout in the encoders", {"encoder_dropout": 0.0}),
    "no-proximal": Ablation("no proximal step", {"proximal": False}),
}


def _differ(default: Settings) -> dict[str, Ablation]:
    """Leave out what the default is already."""
    return {
        key: ablation
        for key, ablation in _CANDIDATES.items()
        if ablation.metric or default.updated(**ablation.overrides) != default
    }


ABLATIONS: Mapping[str, Ablation] = _differ(Settings())
