"""Decoders: from the latents to a prediction of every feature of a view.

To add one, write the class and register it in :data:`poems.settings.parts.DECODERS`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from poems.nn.decode import (
    ALL,
    NONE,
    Kernel,
    Turns,
    decode,
    decoder_jacobian,
    decoder_slopes,
    packed_decoder_slopes,
)
from poems.nn.distributions import spike_slab
from poems.nn.norms import held
from poems.nn.slopes import Slopes
from poems.settings.groups import ModelSettings, SparsitySettings

# relu(A (w * z)) is homogeneous: shrinking w and growing A or u changes nothing
# but the penalty. Holding these norms makes |w| a bound on the effect, comparable
# across features, factors and views. The data-driven spike rate's constant is
# calibrated to them.
_MIXING_NORM = math.sqrt(2.0)
_HEAD_NORM = 1.5
# Of the start from linear effects: size of the linear part and of what was drawn, of these norms.
# Both are small, so that a step of the optimiser turns them further.
_LINEAR_PART, _DRAWN_PART = 0.2, 0.4


class Decoder(nn.Module):
    """What the model and the analyses ask of a decoder.

    A subclass writes :meth:`forward`; the rest has a general way, which a class that
    knows its derivatives, or which factors reach a feature, can better.

    Parameters
    ----------
    n_features, n_latent
        Of the view, and of z.
    settings
        Hidden units and dropout.
    sparsity
        The prior on loadings, for decoders that have any.
    """

    def __init__(
        self, n_features: int, n_latent: int, settings: ModelSettings, sparsity: SparsitySettings
    ) -> None:
        super().__init__()
        self.n_features, self.n_latent = n_features, n_latent

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """Predict eta, (n_samples, n_features), from z (n_samples, n_latent)."""

    @torch.no_grad()
    def jacobian(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Average the Jacobian d eta / d z over samples.

        Returns
        -------
        The mean and the mean size of each derivative, of shape (n_features, n_latent), and
        the mean of J^T J, (n_latent, n_latent).
        """
        mean, size = z.new_zeros(2, self.n_features, self.n_latent)
        gram = z.new_zeros(self.n_latent, self.n_latent)
        derivatives = torch.func.jacrev(lambda row: self(row[None])[0])
        for row in z:
            jacobian = derivatives(row)
            mean += jacobian / len(z)
            size += jacobian.abs() / len(z)
            gram += jacobian.T @ jacobian / len(z)
        return mean, size, gram

    @torch.no_grad()
    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute d eta / d z of each sample, for the features that depend on z.

        Returns
        -------
        Positions of these features, (n_driven,), by default all; and the derivatives, of
        shape (n_samples, n_driven, n_latent).
        """
        derivatives = torch.func.jacrev(lambda row: self(row[None])[0])
        return torch.arange(self.n_features), torch.stack([derivatives(row) for row in z])

    def packed_slopes(self, z: Tensor) -> Slopes:
        """Compute what :meth:`slopes` does, one factor's features after the other's."""
        return Slopes.dense(*self.slopes(z))

    def inclusion(self) -> Tensor:
        """Probability that a factor reaches a feature, (n_features, n_latent): ones by default."""
        return self.at_zero().new_ones(self.n_features, self.n_latent)

    def driven_by(self, dimension: int) -> Tensor:
        """Positions of the features that a latent dimension drives: all of them by default."""
        return torch.arange(self.n_features)

    def some(self, z: Tensor, features: Tensor) -> Tensor:
        """Predict the features at some positions alone: (n_samples, n_chosen)."""
        predicted: Tensor = self(z)[:, features]
        return predicted

    def begin_at(self, eta: Tensor) -> None:
        """Begin where eta is as given, (n_features,), at latents of 0; by default not at all.

        For views whose eta are about intercepts. A decoder that does not know its offsets finds
        them in training.
        """

    @torch.no_grad()
    def at_zero(self) -> Tensor:
        """What is predicted where every latent is 0, of shape (n_features,)."""
        place = next(self.parameters())
        predicted: Tensor = self(place.new_zeros(1, self.n_latent))[0]
        return predicted


def _drawn(rows: int, columns: int, width: int) -> Tensor:
    """Draw weights (rows, columns) from a normal distribution of variance 1 / width.

    Nothing is drawn where loading builds a model on torch's meta device, without memory: torch
    would import its compiler to calculate there, half a second's work.
    """
    weights = torch.empty(rows, columns)
    return weights if weights.is_meta else weights.normal_().div_(width**0.5)


class SparseDecoder(Decoder):
    """eta_j(z) = u_j . relu(A (w_j * z)) + b_j with a spike-and-slab lasso on W.

    Parameters
    ----------
    n_features, n_latent
        Shape of the loadings W.
    settings
        Hidden units, dropout, and whether norms are held.
    sparsity
        The prior on the loadings.
    """

    theta_logit: Tensor
    lambda_spike: Tensor

    def __init__(
        self, n_features: int, n_latent: int, settings: ModelSettings, sparsity: SparsitySettings
    ) -> None:
        super().__init__(n_features, n_latent, settings, sparsity)
        hidden = settings.decoder_hidden
        self.normalise = settings.normalise
        self.dropout = settings.decoder_dropout
        self.kernel: Kernel = settings.kernel
        self.sparsity = sparsity
        self.loadings = nn.Parameter(_drawn(n_features, n_latent, n_latent))
        self.mixing = nn.Parameter(_drawn(hidden, n_latent, hidden))
        self.heads = nn.Parameter(_drawn(n_features, hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("theta_logit", torch.zeros(n_latent))
        self.register_buffer("lambda_spike", torch.full((n_features,), sparsity.lambda_slab))

    @torch.no_grad()
    def start_from(self, effects: Tensor) -> None:
        """Start from linear effects, with hidden units that already point along them.

        As relu(t) - relu(-t) = t, hidden units B and -B with orthonormal columns, and a
        feature's head v and -v with v = B 1 summed over the factors that drive it,
        predict ``z @ effects.T`` exactly. That is one part of the start; the weights as
        they were drawn are another, twice as large. From the former alone a factor of
        correlated noise is never left again; from the latter alone all that the
        effects say is to be found anew, in twice the steps (docs/design.md).

        With fewer than twice as many hidden units as factors the columns of B are not
        orthogonal, and the first part is linear in part. Without held norms (see
        ``normalise``) the loadings alone start from the effects.

        Parameters
        ----------
        effects
            Of each factor on each feature, (n_features, n_latent), zero where there is none.
        """
        n_pairs = self.mixing.shape[0] // 2
        if not self.normalise or n_pairs == 0:
            self.loadings.copy_(effects)
            return
        directions = self.mixing.new_empty(n_pairs, effects.shape[1]).normal_()
        if n_pairs >= effects.shape[1]:
            directions = torch.linalg.qr(directions).Q
        directions /= directions.norm(dim=0)
        paired = torch.zeros_like(self.mixing)
        paired[: 2 * n_pairs] = torch.cat([directions, -directions])
        self.mixing.mul_(_DRAWN_PART * _MIXING_NORM).add_(paired, alpha=_LINEAR_PART)

        heads = (effects != 0).to(effects.dtype) @ directions.T
        size = heads.norm(dim=1, keepdim=True)
        driven = size > 0
        # The slope along each factor that v and -v have at the norm of a head.
        slope = torch.where(driven, _HEAD_NORM / (math.sqrt(2.0) * size), 1.0)
        self.heads.mul_(_DRAWN_PART * _HEAD_NORM)
        pairs = torch.cat([heads, -heads], dim=1) * slope
        self.heads[:, : 2 * n_pairs].add_(pairs, alpha=_LINEAR_PART)
        self.loadings.copy_(effects / slope)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return A (n_hidden, n_latent) and u (n_features, n_hidden), norms held if asked."""
        if not self.normalise:
            return self.mixing, self.heads
        return held(self.mixing, self.heads, (_MIXING_NORM, _HEAD_NORM))

    def forward(self, z: Tensor) -> Tensor:
        """Predict (n_samples, n_features) from z (n_samples, n_latent)."""
        return _decode_jointly([self], z, ALL)

    def jacobian(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, mean size and Gram matrix of d eta / d z over samples (see kernels)."""
        return decoder_jacobian(z, self.loadings, *self.weights(), kernel=self.kernel)

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Derivatives of each sample, for the features with a non-zero loading."""
        return decoder_slopes(z, self.loadings, *self.weights(), kernel=self.kernel)

    def packed_slopes(self, z: Tensor) -> Slopes:
        """Derivatives of each sample, of the loadings that are not zero."""
        return packed_decoder_slopes(z, self.loadings, *self.weights(), kernel=self.kernel)

    def driven_by(self, dimension: int) -> Tensor:
        """Positions of the features with a non-zero loading."""
        return self.loadings[:, dimension].nonzero().squeeze(1)

    def some(self, z: Tensor, features: Tensor) -> Tensor:
        """Predict the features at some positions, at the cost of these alone."""
        A, u = self.weights()
        return decode(
            z,
            self.loadings[features],
            A[None],
            u[features],
            self.bias[features],
            [len(features)],
            kernel=self.kernel,
            turns=NONE,
        )

    @torch.no_grad()
    def begin_at(self, eta: Tensor) -> None:
        """Begin with these offsets b."""
        self.bias.copy_(eta)

    @torch.no_grad()
    def at_zero(self) -> Tensor:
        """The offsets b: hidden units are at rest where every latent is 0."""
        return self.bias.detach()

    def inclusion(self) -> Tensor:
        """Probability that each loading comes from the slab: (n_features, n_latent).

        Without a slab, 1 where a loading is not zero.
        """
        with torch.no_grad():
            if not self.sparsity.slab:
                return (self.loadings != 0).to(self.loadings.dtype)
            return torch.sigmoid(
                spike_slab.inclusion_log_odds(
                    self.loadings,
                    self.theta_logit,
                    self.lambda_spike,
                    self.sparsity.lambda_slab,
                    density_ratio=self.sparsity.density_ratio,
                )
            )


class DenseDecoder(Decoder):
    """An ordinary multilayer perceptron with one hidden layer (POEM, the ablation)."""

    def __init__(
        self, n_features: int, n_latent: int, settings: ModelSettings, sparsity: SparsitySettings
    ) -> None:
        super().__init__(n_features, n_latent, settings, sparsity)
        self.hidden = nn.Linear(n_latent, settings.decoder_hidden)
        self.dropout = nn.Dropout(settings.decoder_dropout)
        self.out = nn.Linear(settings.decoder_hidden, n_features)

    def forward(self, z: Tensor) -> Tensor:
        """Predict (n_samples, n_features) from z (n_samples, n_latent)."""
        eta: Tensor = self.out(self.dropout(torch.relu(self.hidden(z))))
        return eta

    @torch.no_grad()
    def begin_at(self, eta: Tensor) -> None:
        """Begin with offsets of the output layer that add to these at latents of 0."""
        self.out.bias.add_(eta - self.at_zero())

    @torch.no_grad()
    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Derivatives of each sample, for all features."""
        active = (self.hidden(z) > 0).to(z.dtype)
        return torch.arange(self.n_features), self.out.weight @ (
            active[:, :, None] * self.hidden.weight
        )

    @torch.no_grad()
    def jacobian(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, mean size and Gram matrix of d eta / d z over samples."""
        mean = z.new_zeros(self.out.out_features, z.shape[1])
        mean_abs = torch.zeros_like(mean)
        gram = z.new_zeros(z.shape[1], z.shape[1])
        active = (self.hidden(z) > 0).to(z.dtype)
        for row in active:
            jacobian = self.out.weight @ (row[:, None] * self.hidden.weight)
            mean += jacobian / len(z)
            mean_abs += jacobian.abs() / len(z)
            gram += jacobian.T @ jacobian / len(z)
        return mean, mean_abs, gram


def decode_views(decoders: Sequence[Decoder], z: Tensor, turns: Turns = ALL) -> Tensor:
    """Predict the features of several views, sparse decoders all at once.

    ``turns`` says whose zero loadings get their derivative, see :mod:`poems.nn.decode`.
    Returns a tensor of shape (n_samples, n_features), the views' features one after the other.
    """
    # Those that predict in a way of their own are asked, subclasses of the sparse one among them.
    sparse = [d for d in decoders if isinstance(d, SparseDecoder) and _predicts_as_usual(d)]
    if not sparse or len(sparse) < len(decoders):
        return torch.cat([decoder(z) for decoder in decoders], dim=1)
    return _decode_jointly(sparse, z, turns)


def _predicts_as_usual(decoder: SparseDecoder) -> bool:
    return type(decoder).forward is SparseDecoder.forward


def _decode_jointly(sparse: Sequence[SparseDecoder], z: Tensor, turns: Turns) -> Tensor:
    return decode(
        z,
        _joined([decoder.loadings for decoder in sparse]),
        torch.stack([decoder.mixing for decoder in sparse]),
        _joined([decoder.heads for decoder in sparse]),
        _joined([decoder.bias for decoder in sparse]),
        [len(decoder.loadings) for decoder in sparse],
        kernel=sparse[0].kernel,
        turns=turns,
        dropout=sparse[0].dropout if sparse[0].training else 0.0,
        norms=(_MIXING_NORM, _HEAD_NORM) if sparse[0].normalise else None,
    )


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Put them one after the other; one alone, which may be large, is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


DecoderFactory = Callable[[int, int, ModelSettings, SparsitySettings], Decoder]
