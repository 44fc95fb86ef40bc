"""POEMS, the model: encoders, gate, fusion, prior, decoders and likelihoods wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from poems.nn.background import Background
from poems.nn.decode import ALL, Turns
from poems.nn.decoder import Decoder, SparseDecoder, decode_views
from poems.nn.distributions.posteriors import Posterior, tempered
from poems.nn.encoder import Encoder, encode_views
from poems.nn.gate import partly_equal
from poems.nn.likelihoods.interface import Likelihood
from poems.nn.precision import products_in
from poems.nn.prior import Prior
from poems.scaling.batch import Batch
from poems.settings.parts import DECODERS, FUSIONS, GATES, LIKELIHOODS, PRIORS
from poems.settings.schema import Settings

# Of more latents than these the ones that drive nothing are left out of what is solved.
_MANY = 64


@dataclass(frozen=True)
class Encoded:
    """What the inference side says of a batch.

    ``posterior`` over the latents; ``gates`` of shape (n_samples, n_views).
    """

    posterior: Posterior
    gates: Tensor


class POEMS(nn.Module):
    """Product-of-experts model with one encoder and one decoder per view.

    Parameters
    ----------
    variances
        View name to the variance of each of its features, of shape (n_features,).
    settings
        Architecture and sparsity.
    n_levels
        View name to the number of levels of its values, for views of ordered levels.

    Raises
    ------
    SettingsError
        If a part is not registered, or a likelihood is set for a view that is not there.
    """

    feature_weights: Tensor

    def __init__(
        self,
        variances: Mapping[str, Tensor],
        settings: Settings,
        n_levels: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        model = settings.model
        self.views = tuple(variances)
        self.n_latent = model.n_latent
        self.precision = settings.training.precision
        self.inference = model.inference
        self.fuse = FUSIONS.find(model.fusion)
        # Lists in the order of the views: a view may have any name, a module may not.
        sizes = [len(variance) for variance in variances.values()]
        self.encoders = nn.ModuleList(
            Encoder(size, model.n_latent, model.encoder_layers, model.encoder_dropout)
            for size in sizes
        )
        self.gate = GATES.find(model.gate)(len(sizes), model.n_latent, model.gate_hidden)
        self.prior: Prior = PRIORS.find(model.prior)(model.n_latent, model.n_components)
        self.decoders = nn.ModuleList(
            DECODERS.find(model.decoder)(size, model.n_latent, model, settings.sparsity)
            for size in sizes
        )
        levels = {} if n_levels is None else n_levels
        self.likelihoods = nn.ModuleList(
            LIKELIHOODS.find(name).for_levels(variance, levels.get(view, 0))
            for name, (view, variance) in zip(
                model.likelihoods_of(self.views), variances.items(), strict=True
            )
        )

        self.background = Background(sizes, 0, model.n_latent)
        # How much each feature counts; views' features one after the other (n_features,).
        self.register_buffer("feature_weights", torch.ones(sum(sizes)))

    def weights_of_views(self) -> dict[str, Tensor]:
        """Return how much each feature counts, view name to (n_features,): 1 at first."""
        parts = torch.split(self.feature_weights, list(self.background.sizes))
        return dict(zip(self.views, parts, strict=True))

    def decoder(self, view: int) -> Decoder:
        """Return a view's decoder."""
        decoder = self.decoders[view]
        assert isinstance(decoder, Decoder)
        return decoder

    def sparse_decoders(self) -> list[tuple[str, SparseDecoder]]:
        """Return the decoders with a prior on their loadings, by view."""
        decoders = [(name, self.decoder(i)) for i, name in enumerate(self.views)]
        return [(name, d) for name, d in decoders if isinstance(d, SparseDecoder)]

    @torch.no_grad()
    def driving(self) -> Tensor:
        """Which latent dimensions drive a feature: booleans of shape (n_latent,)."""
        used = [(decoder.loadings != 0).any(dim=0) for _, decoder in self.sparse_decoders()]
        if not used:
            return torch.ones(self.n_latent, dtype=torch.bool)
        return torch.stack(used).any(dim=0)

    def solved_for(self) -> Tensor:
        """Return the latents that anything is to be solved for, (n_used,) positions.

        Of those that drive nothing the prior alone speaks; a few of them cost nothing.
        """
        used = self.driving() | self.background.moved_by() | (self.n_latent <= _MANY)
        return used.nonzero()[:, 0]

    @torch.no_grad()
    def drop_factors(self, fewest: int) -> int:
        """Set to zero the loadings of factors with fewer than ``fewest`` in all; return how many.

        Factors without any are not counted.
        """
        decoders = [decoder for _, decoder in self.sparse_decoders()]
        if not decoders:
            return 0
        counts = torch.stack([(d.loadings != 0).sum(dim=0) for d in decoders]).sum(dim=0)
        weak = (counts > 0) & (counts < fewest)
        for decoder in decoders:
            decoder.loadings[:, weak] = 0.0
        return int(weak.sum())

    def likelihood(self, view: int) -> Likelihood:
        """Return a view's likelihood."""
        likelihood = self.likelihoods[view]
        assert isinstance(likelihood, Likelihood)
        return likelihood

    @torch.no_grad()
    def standard_errors(self) -> list[Tensor]:
        """Standard error with which one value tells each feature's eta, a view's (n_features,).

        At samples whose latents are all 0; see :meth:`Likelihood.typical_standard_error`.
        """
        return [
            self.likelihood(i).typical_standard_error(eta) for i, eta in enumerate(self._at_zero())
        ]

    @torch.no_grad()
    def standard_deviations(self) -> list[Tensor]:
        """Standard deviation of each feature's values there, a view's (n_features,)."""
        return [
            self.likelihood(i).standard_deviation(eta)[0] for i, eta in enumerate(self._at_zero())
        ]

    def _at_zero(self) -> list[Tensor]:
        return [self.decoder(i).at_zero()[None] for i in range(len(self.views))]

    def encode(self, batch: Batch, gate_share: float = 1.0) -> Encoded:
        """Fuse the measured views of each sample into a posterior.

        ``gate_share`` below 1 weighs the views by the gate in part, else equally
        (:func:`poems.nn.gate.partly_equal`).
        """
        loc, log_precision = self.experts(batch)
        gates: Tensor = self.gate(loc, batch.measured)
        if gate_share < 1.0:
            gates = partly_equal(gates, batch.measured, gate_share)
        return Encoded(self.fuse(loc, log_precision, gates), gates)

    def experts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute each view's expert: loc and log precision, (n_views, n_samples, n_latent).

        Only rows on which a view was measured reach its encoder, so what the
        other rows hold cannot matter; there, both are zero. An encoder that was
        given a share s of its features, the rest filled with their means, does
        not know so; its expert is tempered to N(mu, 1 / tau)^s N(0, 1)^(1 - s), which is the
        expert for s = 1 and goes to the prior as s goes to 0.
        """
        rows = [batch.rows(i) for i in range(len(self.views))]
        inputs = [
            x if row is None else x[row] for x, row in zip(batch.values.values(), rows, strict=True)
        ]
        encoders = [encoder for encoder in self.encoders if isinstance(encoder, Encoder)]
        loc, log_precision = self._products(
            lambda: encode_views(encoders, inputs, rows, batch.measured), *inputs
        )
        if all(mask is None for mask in batch.observed.values()):
            return loc, log_precision
        shares = [
            loc.new_ones(len(batch)) if mask is None else mask.to(loc.dtype).mean(dim=1)
            for mask in batch.observed.values()
        ]
        # A sample without the view keeps the zeros that stand for it.
        there = batch.measured.T[..., None]
        tempered_loc, tempered_log = tempered(loc, log_precision, torch.stack(shares)[..., None])
        return torch.where(there, tempered_loc, loc), torch.where(
            there, tempered_log, log_precision
        )

    def decode(self, z: Tensor, turns: Turns = ALL) -> dict[str, Tensor]:
        """Compute eta of every view: name to (n_samples, n_features)."""
        sizes = [self.decoder(i).n_features for i in range(len(self.views))]
        parts = torch.split(self.decode_jointly(z, turns), sizes, dim=1)
        return dict(zip(self.views, parts, strict=True))

    def linear_predictors(
        self, z: Tensor, background: Tensor | None = None, measured: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute eta of every view for a sample of size 1: name to (n_samples, n_features).

        With what the background adds, where its scores (n_samples, n_background) are given; then
        ``measured``, (n_samples, n_views), says which views they are known from: a view has
        less of what others tell (:attr:`Background.carried`).
        """
        if background is None or not background.shape[1]:
            return self.decode(z)
        eta = self.decode_jointly(z) + self.background.predict(background, z)
        parts = dict(zip(self.views, torch.split(eta, list(self.background.sizes), 1), strict=True))
        if measured is None:
            return parts
        for i, (name, own) in enumerate(parts.items()):
            rows = (~measured[:, i]).nonzero()[:, 0]
            if len(rows) and bool((self.background.carried[i] < 1.0).any()):
                less = torch.cat([z, background], dim=1)[rows] * self.background.shares(i)
                widths = [self.n_latent, self.background.n_background]
                of_z, of_b = torch.split(less, widths, dim=1)
                parts[name] = own.index_copy(0, rows, self._of_view(i, of_z, of_b))
        return parts

    def _of_view(self, view: int, z: Tensor, background: Tensor) -> Tensor:
        dense = self.background
        rows = torch.split(torch.arange(len(dense.offset)), list(dense.sizes))[view]
        added = dense.offset[rows] + z @ dense.weak[rows].T + background @ dense.loadings[rows].T
        eta: Tensor = self.decoder(view)(z) + added
        return eta

    def predict(
        self,
        z: Tensor,
        background: Tensor | None = None,
        log_sizes: Mapping[str, Tensor] | None = None,
        measured: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict the values of every view, their means: name to (n_samples, n_features).

        ``background`` and ``measured`` as in :meth:`linear_predictors`.
        ``log_sizes``, (n_samples,), of views whose samples have sizes, 0 by default.
        """
        found = {}
        for i, (name, own) in enumerate(self.linear_predictors(z, background, measured).items()):
            eta = own
            if log_sizes is not None and name in log_sizes:
                eta = own + log_sizes[name][:, None]
            found[name] = self.likelihood(i).mean(eta)
        return found

    def decode_jointly(self, z: Tensor, turns: Turns = ALL) -> Tensor:
        """Predict the features of all views, one view's after the other's."""
        decoders = [self.decoder(i) for i in range(len(self.views))]
        # Not the kernels of sparse decoders: their derivatives decide which loadings are zero.
        if self.sparse_decoders():
            return decode_views(decoders, z, turns)
        (predicted,) = self._products(lambda: (decode_views(decoders, z, turns),), z)
        return predicted

    def _products(
        self, compute: Callable[[], tuple[Tensor, ...]], *given: Tensor
    ) -> tuple[Tensor, ...]:
        """Compute with products in the precision of the settings while training."""
        return products_in(self.precision, compute, *given) if self.training else compute()
