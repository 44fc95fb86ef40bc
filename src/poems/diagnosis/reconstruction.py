"""Is a view reconstructed badly: against each feature's mean, and against PCA?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from poems.diagnosis.check import Check, Samples, Verdict
from poems.findings import name_some
from poems.nn.estimates import explained_share
from poems.scaling.batch import Batch

# Share of a view's variance that the model explains, below which the mean does as well.
LEAST_R2: Final = 0.02
# A model that explains less than this share of every view has learned nothing of use.
LEAST_OF_ALL: Final = 0.05
# What a sparse model has to explain of what PCA explains beyond noise. Sparse factors explain
# less than dense ones by design: healthy fits lie above 0.6, on held-out samples above 0.4.
LEAST_OF_PCA: Final = 1 / 3
# Share of a view, beyond chance, below which nothing was recovered of it.
LEAST_GAINED: Final = 0.005
# What PCA explains beyond noise, below which there is nothing to compare with.
LEAST_STRUCTURE: Final = 0.05
# With fewer samples than the one and more features than the other in a view, fewer features are
# advised where nothing is explained.
FEW_SAMPLES: Final = 60
MANY_FEATURES: Final = 1000
# Samples of a view on which a share of its variance can be judged.
FEWEST: Final = 10

# What is asked of a view that is hardly explained, on the training samples.
ALONE: Final = "R² of PCA of the view alone, beyond noise"

_UNEXPLAINED = "the model predicts this view no better than each feature's mean"
_LOOK = (
    "fit with more factors (n_latent) or lambda_slab below 1, or without the view that takes the "
    "factors"
)


_DROWNED = "though components of this view alone find structure in it: other views take the factors"
# Copies of a few features in another view: what this view says is heard again if they count less.
_UNWEIGHTED = "fit with redundancy='correlation', so that features that say the same count less"
# Noise of other views' features that is shared by many of them takes the factors in its place.
_TOLD = (
    "fit with inference='exact', whose background factors take what is dense, or without the view "
    "that takes the factors"
)


@dataclass(frozen=True)
class Explained:
    """Shares of a view's variance about the training means, on some samples.

    ``model``: the factors of POEMS; ``pca``: as many principal components, ``noise``: what
    these explain of pure noise; both ``None`` where there is no PCA.
    ``n_samples``: samples on which the view was measured. ``total``: factors and
    background together, ``None`` where there is no background. ``chance``: what the model
    would explain of noise, for a posterior that sees a value follows it a little. ``alone``:
    what as many components of this view by itself explain beyond noise, where that was asked.
    """

    model: float
    pca: float | None
    noise: float | None
    n_samples: int
    total: float | None = None
    chance: float = 0.0
    alone: float | None = None

    @property
    def structure(self) -> float | None:
        """What PCA explains beyond noise."""
        return None if self.pca is None or self.noise is None else self.pca - self.noise

    @property
    def may_be_drowned(self) -> bool:
        """Whether the view is not represented, and components of all views do not find it either.

        Components of the view alone then tell whether there is anything to represent.
        """
        structure = self.structure
        return self.unexplained and structure is not None and structure < LEAST_STRUCTURE

    @property
    def unexplained(self) -> bool:
        """Whether the mean of each feature does as well as the model."""
        return self.model < LEAST_R2 + self.chance

    @property
    def empty(self) -> bool:
        """Whether nothing was found to be explained: by PCA of all views, nor of the view alone."""
        return self.may_be_drowned and self.alone is not None and self.alone < LEAST_STRUCTURE


def explained_views(
    batch: Batch, predicted: Mapping[str, Tensor], means: Mapping[str, Tensor]
) -> dict[str, float]:
    """Compute R squared about the training means of every view that was measured.

    Parameters
    ----------
    batch
        Some samples.
    predicted
        View name to (n_samples, n_features).
    means
        View name to (n_features,).

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0], [-1.0]])
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(2, 1, dtype=torch.bool))
    >>> explained_views(batch, {"a": 0.5 * x}, {"a": torch.zeros(1)})
    {'a': 0.75}
    """
    shares = {}
    for i, (name, values) in enumerate(batch.values.items()):
        rows, mask = batch.measured[:, i], batch.observed[name]
        if rows.any():
            observed = None if mask is None else mask[rows]
            shares[name] = explained_share(
                values[rows], predicted[name][rows], observed, means[name]
            )
    return shares


def reconstruction_checks(
    explained: Mapping[str, Explained],
    samples: Samples = "training",
    *,
    weighted: bool = True,
    widest: int = 0,
    n_supported: int = 0,
) -> tuple[Check, ...]:
    """Judge how well each view is reconstructed.

    Parameters
    ----------
    explained
        View name to what is explained of it.
    samples
        Which samples these are.
    weighted
        Whether features that say the same counted less in the fit (``redundancy``).
    widest
        Features of the widest view, as the fit saw it.
    n_supported
        Principal components that stand out from permuted data. With one or more, a small share
        of many features that is most of what can be explained is no failure.

    Examples
    --------
    >>> noise = Explained(model=0.0, pca=0.21, noise=0.2, n_samples=50, alone=0.01)
    >>> missed = Explained(model=0.0, pca=0.5, noise=0.2, n_samples=50)
    >>> signal = Explained(model=0.3, pca=0.5, noise=0.2, n_samples=50)
    >>> checks = reconstruction_checks({"a": noise, "b": missed, "c": signal})
    >>> [(check.view, check.verdict) for check in checks if check.meaning]
    [('a', 'note'), ('b', 'warning')]
    """
    enough = {name: found for name, found in explained.items() if found.n_samples >= FEWEST}
    best = max((found.model for found in enough.values()), default=None)
    least = LEAST_OF_ALL + max((found.chance for found in enough.values()), default=0.0)
    found_it = any(_recovered(found, n_supported) for found in enough.values())
    nothing = best is not None and best < least and not found_it
    checks = [
        check
        for name, found in explained.items()
        for check in _view_checks(
            name,
            found,
            samples,
            judged=name in enough and not nothing and not _recovered(found, n_supported),
            weighted=weighted,
        )
    ]
    values = name_some((f"{name} {found.model:.2f}" for name, found in explained.items()), 6)
    checks.append(
        Check(
            "explains-nothing",
            "largest R²",
            best,
            least,
            "not judged" if best is None else "warning" if nothing else "ok",
            samples=samples,
            meaning=f"the model explains less than {least:.0%} of the variance of every "
            f"view ({values}), so its factors and subtypes mean little"
            if nothing
            else "",
            remedy=_remedy_of_nothing(explained, widest) if nothing else "",
        )
    )
    return tuple(checks)


def _recovered(found: Explained, n_supported: int) -> bool:
    """Whether a small share of a view is most of what can be explained of it.

    A few hundred of 20,000 features may follow the factors: all of their variance is then a
    small share of the view's.
    """
    structure, gained = found.structure, found.model - found.chance
    if structure is None or not n_supported or found.model >= LEAST_OF_ALL + found.chance:
        return False
    return gained >= LEAST_GAINED and gained >= LEAST_OF_PCA * structure


def _remedy_of_nothing(explained: Mapping[str, Explained], widest: int) -> str:
    """Fewer features where they are many and samples few: the noise of the many is in the way."""
    fewest = min(found.n_samples for found in explained.values())
    if fewest >= FEW_SAMPLES or widest <= MANY_FEATURES:
        return "check that the views hold signal, and that samples of all views are the same people"
    return (
        f"keep the {MANY_FEATURES} most variable features of each view "
        f"(most_variable={MANY_FEATURES}, --most-variable {MANY_FEATURES}): among {widest} "
        f"features and {fewest} samples chance alone reaches so far that few loadings are told "
        "from it; then check that the views hold signal"
    )


def _view_checks(
    name: str, found: Explained, samples: Samples, *, judged: bool, weighted: bool
) -> tuple[Check, ...]:
    """A view's R², its share of PCA's, and the numbers that the share is made of."""
    structure = found.structure
    share = None
    if structure is not None and structure >= LEAST_STRUCTURE:
        share = found.model / structure
    least = LEAST_R2 + found.chance
    unexplained = judged and found.unexplained
    short = judged and not unexplained and share is not None and share < LEAST_OF_PCA
    if structure is None:
        meaning, remedy = _UNEXPLAINED, f"check that the view holds signal, or {_LOOK}"
    elif share is None and found.alone is not None and found.alone >= LEAST_STRUCTURE:
        meaning, remedy = f"{_UNEXPLAINED}, {_DROWNED}", _TOLD if weighted else _UNWEIGHTED
    elif share is None:
        meaning = (
            f"{_UNEXPLAINED}, and neither does PCA beyond what it makes of noise: the view seems "
            "to hold nothing that its features share"
        )
        remedy = "check its scale and quality, or leave it out"
    else:
        meaning = f"{_UNEXPLAINED}, though PCA finds structure in it"
        remedy = _LOOK if weighted else f"{_UNWEIGHTED}, or {_LOOK}"
    common = {"view": name, "samples": samples}
    verdict: Verdict = "ok" if judged else "not judged"
    if unexplained:
        # That there is nothing to explain is no failure of the model, and good to know.
        verdict = "note" if found.empty else "warning"
    first = Check(
        "badly-reconstructed",
        "R²",
        found.model,
        least,
        verdict,
        meaning=meaning if unexplained else "",
        remedy=remedy if unexplained else "",
        **common,  # type: ignore[arg-type]
    )
    shown: tuple[tuple[str, float | None], ...] = ()
    # The factors are judged: a background that explains much does not make up for them.
    if found.total is not None:
        shown = (("R² with the background", found.total),)
    if found.pca is not None:
        shown = (*shown, ("R² of PCA", found.pca), ("R² of PCA on noise", found.noise))
    if found.alone is not None:
        shown = (*shown, (ALONE, found.alone))
    compared_with = tuple(
        Check("badly-reconstructed", quantity, value, None, "not judged", **common)  # type: ignore[arg-type]
        for quantity, value in shown
    )
    if found.pca is None:
        return (first, *compared_with)
    compared = judged and not unexplained and share is not None
    second = Check(
        "badly-reconstructed",
        "R² / PCA's beyond noise",
        share,
        LEAST_OF_PCA,
        "warning" if short else "ok" if compared else "not judged",
        meaning="the model explains far less of this view than as many principal components do"
        if short
        else "",
        remedy=_LOOK if short else "",
        **common,  # type: ignore[arg-type]
    )
    return (first, second, *compared_with)
