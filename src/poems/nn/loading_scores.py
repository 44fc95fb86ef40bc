"""A score for every loading, zero or not, so that a ranking of features does not end at the zeros.

Take feature j and the factors S that drive it, its loadings beta_S and offset as the fit left them,
and the latents z as they were inferred. One step of Fisher scoring without any penalty, for the
offset, the loadings in S and the loading of factor k, whether k is in S or not, gives the
loading's estimate free of the penalty's bias, and the information its standard error: the
debiased lasso (Zhang & Zhang 2014; van de Geer et al. 2014) within the pattern that was found.
Their ratio t_jk is the score. For a loading of zero it is the score (Lagrange multiplier) statistic
of Rao, the slope of the log likelihood at zero over the root of its information given the others:

    t_jk = (U_k - G_kS G_SS^-1 U_S) / sqrt(G_kk - G_kS G_SS^-1 G_Sk),
    U_k = sum_n s_nj z_nk,   G_kl = sum_n I_nj z_nk z_nl,

s and I the likelihood's score and information of an entry, sums over the entries that were
measured. For one that is not, the squared part of its contribution z_k d eta_j / d z_k that is no
straight line in the factors is added to t^2, or a U would seem to drive nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from poems.nn.estimates import FeatureEstimates, SampleEstimates
from poems.nn.model import POEMS
from poems.scaling.batch import Batch, SampleSource

# Numbers that slopes of some samples, or information matrices of some features, may take.
_MOST_NUMBERS = 1 << 24
# Added to the diagonal of an information matrix of unit diagonal: a loading of which the entries
# say nothing beside the others, as with more factors than samples, has a score of next to 0.
_RIDGE = 1e-6


@torch.no_grad()
def score_loadings(
    model: POEMS, data: SampleSource, samples: SampleEstimates, features: FeatureEstimates
) -> dict[str, Tensor]:
    """Compute the score of each loading in one pass over the samples.

    Parameters
    ----------
    model
        The trained model, in evaluation mode.
    data
        The training samples, in memory or on disk.
    samples
        What was inferred of them.
    features
        Which loadings are not zero: those of a size.

    Returns
    -------
    View name to scores of shape (n_features, n_latent), in standard errors and with the sign of
    the loading that they suggest; 0 for latents that drive nothing and where nothing was measured.

    Examples
    --------
    >>> from poems.nn.estimates import estimate_features, estimate_samples
    >>> from poems.settings.schema import Settings
    >>> model = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2))
    >>> batch = Batch({"a": torch.randn(30, 5)}, {"a": None}, torch.ones(30, 1).bool())
    >>> samples = estimate_samples(model, batch)
    >>> features = estimate_features(model, batch, samples.loc)
    >>> score_loadings(model, batch, samples, features)["a"].shape
    torch.Size([5, 2])
    """
    model.eval()
    used = features.driven().nonzero()[:, 0]
    views = [
        _View(model, i, used, features.size[name][:, used] != 0)
        for i, name in enumerate(model.views)
    ]
    first = 0
    for chunk in data.chunks():
        rows = slice(first, first + len(chunk))
        first += len(chunk)
        background = None if samples.background is None else samples.background[rows]
        _count_in(model, views, chunk, samples.loc[rows], background)
    return {
        name: view.scores(model.n_latent) for name, view in zip(model.views, views, strict=True)
    }


def _count_in(
    model: POEMS, views: list[_View], chunk: Batch, z: Tensor, background: Tensor | None
) -> None:
    """Add some samples to the sums of all views."""
    eta = model.decode_jointly(z)
    dense = background is not None and bool(background.shape[1])
    if dense and background is not None:
        eta = eta + model.background.predict(background)
    sizes = list(model.background.sizes)
    parts = zip(
        views,
        torch.split(eta, sizes, dim=1),
        torch.split(model.background.precision, sizes),
        chunk.values.items(),
        strict=True,
    )
    for view, predicted, precision, (name, values) in parts:
        measured, observed = chunk.measured[:, view.number], chunk.observed[name]
        x = chunk.targets.get(name, values)[measured]
        own = chunk.shifted_view(name, predicted[measured], measured)
        there = None if observed is None else observed[measured]
        likelihood = model.likelihood(view.number)
        if there is not None:
            x = x.where(there, likelihood.placeholder)
        if dense and likelihood.additive:
            score, information = (x - own) * precision, precision.expand_as(own)
        else:
            score, information = likelihood.score(x, own), likelihood.information(own)
        view.add(z[measured], score, information, there, alike=likelihood.additive)


@dataclass(eq=False)
class _View:
    """Sums of one view, from which its scores follow.

    With p = 1 + n_used columns, ones and the latents that drive anything: ``slope``
    (n_features, p), the sum of scores by them; the information about them, of all features in
    units of their own, ``shared`` (p, p), and what is a feature's own, ``gram`` (n_features, p, p);
    and of each non-zero loading its contribution's products with them, ``products``
    (n_nonzero, p), and with itself, ``squares`` (n_nonzero,).
    """

    model: POEMS
    number: int
    used: Tensor
    there: Tensor
    pairs: Tensor = field(init=False)
    slope: Tensor = field(init=False)
    shared: Tensor = field(init=False)
    gram: Tensor | None = field(init=False, default=None)
    unit: Tensor = field(init=False)
    products: Tensor = field(init=False)
    squares: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n_features, width = len(self.there), 1 + len(self.used)
        self.pairs = self.there.nonzero()
        self.slope = torch.zeros(n_features, width, dtype=torch.float64)
        self.shared = torch.zeros(width, width, dtype=torch.float64)
        self.unit = torch.ones(n_features, dtype=torch.float64)
        self.products = torch.zeros(len(self.pairs), width, dtype=torch.float64)
        self.squares = torch.zeros(len(self.pairs), dtype=torch.float64)

    def add(
        self, z: Tensor, score: Tensor, information: Tensor, there: Tensor | None, *, alike: bool
    ) -> None:
        """Count samples in; ``alike`` says that a feature's entries all tell as much."""
        if not len(z):
            return
        if there is not None:
            # What is not there may be no number at all.
            score = score.masked_fill(~there, 0.0)
            information = information.masked_fill(~there, 0.0)
        design = torch.cat([z.new_ones(len(z), 1), z[:, self.used]], dim=1)
        self.slope += (score.T @ design).double()
        if alike and there is None:
            self.unit = information[0].double()
            self.shared += (design.T @ design).double()
        else:
            if self.gram is None:
                self.gram = torch.zeros(*self.slope.shape, design.shape[1])
            products = (design[:, :, None] * design[:, None, :]).flatten(1)
            self.gram += (information.T @ products).view(self.gram.shape)
        self._add_contributions(z, design, information)

    def _add_contributions(self, z: Tensor, design: Tensor, information: Tensor) -> None:
        if not len(self.pairs):
            return
        feature, factor = self.pairs.T
        width = z.shape[1] * len(torch.unique(feature))
        for rows in torch.split(torch.arange(len(z)), max(1, _MOST_NUMBERS // width)):
            driven, slopes = self.model.decoder(self.number).slopes(z[rows])
            at = torch.searchsorted(driven, feature)
            dimension = self.used[factor]
            given = slopes[:, at, dimension] * z[rows][:, dimension]
            told = given * information[rows][:, feature]
            self.products += (told.T @ design[rows]).double()
            self.squares += (told * given).sum(dim=0).double()

    def scores(self, n_latent: int) -> Tensor:
        """Compute the scores, (n_features, n_latent), from the sums."""
        n_features, width = self.slope.shape
        found = torch.zeros(n_features, n_latent)
        if width == 1:
            return found
        contributions = self.slope.new_zeros(n_features, width - 1)
        for rows in torch.split(torch.arange(n_features), max(1, _MOST_NUMBERS // width**2)):
            lies = (self.pairs[:, 0] >= rows[0]) & (self.pairs[:, 0] <= rows[-1])
            contributions[rows] = self._block(rows, lies)
        found[:, self.used] = contributions.float()
        return found

    def _block(self, rows: Tensor, lies: Tensor) -> Tensor:
        gram = self.shared * self.unit[rows][:, None, None]
        if self.gram is not None:
            gram = gram + self.gram[rows]
        scale = gram.diagonal(dim1=1, dim2=2).sqrt()
        # Columns of which nothing is known: their sums are 0, whatever they are divided by.
        scale = scale.where(scale > 0, 1.0)
        gram = gram / (scale[:, :, None] * scale[:, None, :])
        gram.diagonal(dim1=1, dim2=2).add_(_RIDGE)
        slope = self.slope[rows] / scale

        inside = torch.cat([torch.ones(len(rows), 1, dtype=torch.bool), self.there[rows]], dim=1)
        block = inside[:, :, None] & inside[:, None, :]
        own = gram.where(block, 0.0) + torch.diag_embed((~inside).double())
        inverse = torch.linalg.inv(own).where(block, 0.0)

        across = inverse @ gram
        left = slope - (gram @ (inverse @ slope[:, :, None]))[:, :, 0]
        information = gram.diagonal(dim1=1, dim2=2) - (gram * across).sum(dim=1)
        # Not below the ridge but by rounding.
        score: Tensor = (left / information.clamp_min(_RIDGE).sqrt())[:, 1:]
        at, factor = self.pairs[lies, 0] - rows[0], self.pairs[lies, 1] + 1
        products, solved = self.products[lies] / scale[at], inverse[at, factor]
        estimate = (solved * (slope[at] + products)).sum(dim=1)
        t = estimate / inverse[at, factor, factor].sqrt()
        straight = ((inverse[at] @ products[:, :, None])[:, :, 0] * products).sum(dim=1)
        # What a straight line takes of a sum of squares is less than the sum, but for rounding.
        bent = (self.squares[lies] - straight).clamp_min(0.0)
        score[at, factor - 1] = torch.copysign((t.square() + bent).sqrt(), t)
        return score
