"""A deterministic autoencoder of the size of POEMS: what is left without its model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from poems.data.container import MultiOmics
from poems.nn.decoder import DenseDecoder
from poems.nn.encoder import Encoder
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.schema import Settings
from poems.training.schedule import decayed
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult


def _own_settings() -> Settings:
    return Settings().updated(epochs=150, learning_rate=3e-3, ramp_start=0.2, ramp_end=0.7)


@dataclass(frozen=True)
class Autoencoder:
    """Encoders, a mean over the measured views, and dense decoders, trained on squared errors.

    Architecture, preprocessing, optimiser and batches are those of POEMS's
    settings, with 150 epochs, a learning rate of 0.003 and its fall in the last
    three tenths of them; there is no noise on the latents, no prior, no gate and
    no sparsity. The loss of a sample is

        sum_v 1 / D_v sum_j o_vj (x_vj - xhat_vj)^2,

    views weighing the same as in the baseline of principal components.
    Entries and views that were not measured (o = 0) do not count.

    Parameters
    ----------
    settings
        Those of POEMS; by default its defaults, trained as said above.
    """

    settings: Settings = field(default_factory=_own_settings)
    name: str = "Autoencoder"
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    deterministic: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {
            "preprocessing": self.settings.preprocessing.model_dump(mode="json"),
            "model": self.settings.model.model_dump(mode="json"),
            "training": self.settings.training.model_dump(mode="json"),
            "code": source_digest(__name__),
        }

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Train an autoencoder and return its latents, (n_samples, n_latent)."""
        preprocessing, _ = fit_preprocessing(cohort, self.settings.preprocessing)
        data, _ = preprocessing.apply(cohort)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            torch.set_flush_denormal(True)
            try:
                network = _Network(data, self.settings)
                loss = _train(network, data, self.settings)
            finally:
                torch.set_flush_denormal(False)
        with torch.no_grad():
            latent = network.encode(data).numpy()
        columns = [f"AE{number}" for number in range(1, latent.shape[1] + 1)]
        points = pd.DataFrame(latent, index=cohort.samples, columns=columns)
        return MethodResult(points, details={"loss": loss})


class _Network(nn.Module):
    def __init__(self, data: Batch, settings: Settings) -> None:
        super().__init__()
        model = settings.model
        self.views = tuple(data.values)
        self.n_latent = model.n_latent
        sizes = [data.values[name].shape[1] for name in self.views]
        self.encoders = nn.ModuleList(
            Encoder(size, model.n_latent, model.encoder_layers, model.encoder_dropout)
            for size in sizes
        )
        self.decoders = nn.ModuleList(
            DenseDecoder(size, model.n_latent, model, settings.sparsity) for size in sizes
        )

    def encode(self, batch: Batch) -> Tensor:
        """Average what the measured views' encoders say: (n_samples, n_latent)."""
        total = torch.zeros(len(batch), self.n_latent)
        for at, name in enumerate(self.views):
            rows = batch.measured[:, at]
            if rows.any():
                loc, _ = self.encoders[at](batch.values[name][rows])
                total = total.index_add(0, rows.nonzero().squeeze(1), loc)
        return total / batch.measured.sum(dim=1, keepdim=True)

    def loss(self, batch: Batch) -> Tensor:
        """Compute the mean loss of a sample."""
        z = self.encode(batch)
        total = z.new_zeros(())
        for at, name in enumerate(self.views):
            rows = batch.measured[:, at]
            if not rows.any():
                continue
            squares = (batch.values[name][rows] - self.decoders[at](z[rows])).square()
            observed = batch.observed[name]
            if observed is not None:
                squares = squares * observed[rows]
            total = total + squares.mean(dim=1).sum() / len(batch)
        return total


def _train(network: _Network, data: Batch, settings: Settings) -> float:
    """Train for all epochs; return the last epoch's loss."""
    options = settings.training
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    network.train()
    loss = math.nan
    n_epochs = options.n_epochs(len(data))
    for epoch in range(n_epochs):
        share = decayed(epoch / n_epochs, settings.sparsity.ramp_end, options.final_learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * share
        loss = 0.0
        order = torch.randperm(len(data))
        for rows in order.tensor_split(math.ceil(len(data) / options.batch_size)):
            objective = network.loss(data.take(rows))
            optimizer.zero_grad(set_to_none=True)
            objective.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), options.max_grad_norm)
            optimizer.step()
            loss += objective.item() * len(rows) / len(data)
    network.eval()
    return loss
