"""Weights of features that say the same: c of them count as sqrt(c).

Within a view, feature j counts

    w_j = c_j^(-1/2),   c_j = #{k : |r_jk| >= max(0.8, c_n)},   c_n = tanh(sqrt(2 log D / (n - 3))),

itself among the k, with r the correlation of two features and c_n the largest that chance makes of
one feature with D others over n samples (Fisher's transform: atanh r is normal of variance
1 / (n - 3)). A feature that no other resembles counts 1. Counted in full, copies outvote what is
said elsewhere; counted as one, the features of a strong factor no longer outvote noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from poems.findings import Finding
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import random_rows
from poems.settings.groups import ALIKE

# A view in which features that say something new are a smaller share is pointed out.
_FEW: Final = 1 / 3
# Samples that correlations rest on, at most: at 0.8 they are then known to within 0.016.
MOST_SAMPLES: Final = 512
# Fewer where a view is so wide that they are more entries than this, but no fewer than that, which
# tells a correlation of 0.8 to within 0.023.
_MOST_ENTRIES: Final = 6_000_000
_FEWEST_SAMPLES: Final = 256
# Features of which each is compared with every other; of more, each with a random part of them.
# Half as many where entries are missing, for a comparison then takes four products in place of one.
LARGEST_EXACT: Final = 10_000
N_REFERENCES: Final = 4096
# Correlations computed at once.
_BLOCK: Final = 1 << 23


@dataclass(frozen=True, eq=False)
class Redundancy:
    """Weights of a view's features, (n_features,), and what they rest on.

    ``n_samples`` of ``of_samples`` that have the view, each feature compared with
    ``n_compared``, all features of the view if that is their number.
    """

    weights: Tensor
    n_samples: int
    of_samples: int
    n_compared: int


def redundancy(data: Batch | BackedBatches) -> dict[str, Redundancy]:
    """Compute the weights of every view's features on the model's scale.

    Correlations are those over the entries that both features have. They rest on at most 512
    random samples, of wide views on 256 at the least; a feature of a view of more than 10,000
    (5,000 with missing entries) is compared with 4,096 random ones and their number scaled up.
    Both are drawn by a fixed seed: the same values give the same weights, in memory and on disk.

    Parameters
    ----------
    data
        The training samples.

    Examples
    --------
    >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> x = torch.cat([x, x[:, :1]], dim=1)
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(50, 1, dtype=torch.bool))
    >>> redundancy(batch)["a"].weights.tolist()
    [0.70..., 1.0, 1.0, 0.70...]
    """
    return {name: _of_view(data, i, name) for i, name in enumerate(data.n_features)}


def redundancy_findings(found: Mapping[str, Redundancy]) -> Iterator[Finding]:
    """Say which views say much less than they have features, and what was not looked at."""
    for name, each in found.items():
        n_features, says = len(each.weights), float(each.weights.double().sum())
        if says < _FEW * n_features:
            text = (
                f"{n_features} features count as {says:.0f}, for many are correlated at |r| ≥ "
                f"{ALIKE}: c that say the same count as the root of c, so that they do not drown "
                "other views (redundancy='none' lets each count in full)"
            )
            yield Finding("note", "features-redundant", text, name)
        parts = []
        if each.n_samples < each.of_samples:
            parts.append(f"{each.n_samples} of {each.of_samples} samples")
        if each.n_compared < n_features:
            parts.append(f"comparisons with {each.n_compared} of {n_features} features")
        if parts:
            text = f"which features say the same rests on a random part: {' and '.join(parts)}"
            yield Finding("note", "redundancy-subset", text, name)


def stand_ins(values: Tensor, there: Tensor | None) -> Tensor:
    """Return for each feature the first that says the same; itself where none before it does.

    In their order each feature that nothing stands for stands for all later ones that are
    alike to it, by the correlation from which the weights count two features as one.

    Parameters
    ----------
    values
        Of shape (n_samples, n_features); they are not changed.
    there
        Which entries are, or ``None`` for all.

    Returns
    -------
    Positions of shape (n_features,).

    Examples
    --------
    >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> stand_ins(torch.cat([x, -x[:, 1:2]], dim=1), None).tolist()
    [0, 1, 2, 1]
    """
    rows = random_rows(len(values), MOST_SAMPLES, seed=0)
    columns = _Columns(
        values.index_select(0, rows).clone(), None if there is None else there.index_select(0, rows)
    )
    found = torch.full((columns.n_features,), -1)
    for some in columns.blocks(columns.n_features):
        alike = columns.alike(some, slice(None)).cpu()
        for feature, like in zip(range(some.start, some.stop), alike, strict=True):
            if found[feature] < 0:
                found[feature] = feature
                found[like & (found < 0)] = feature
    return found


def _of_view(data: Batch | BackedBatches, view: int, name: str) -> Redundancy:
    measured = data.measured[:, view].nonzero().flatten()
    n_features = data.n_features[name]
    most = min(MOST_SAMPLES, max(_FEWEST_SAMPLES, _MOST_ENTRIES // n_features))
    rows = measured[random_rows(len(measured), most, seed=0).to(measured.device)]
    columns = _Columns(*_values(data, view, name, rows))
    if n_features <= (LARGEST_EXACT if columns.complete else LARGEST_EXACT // 2):
        counts, n_compared = _among_all(columns), n_features
    else:
        n_compared = N_REFERENCES
        counts = _among_some(columns, random_rows(n_features, n_compared, seed=0))
    weights = (1.0 + counts).rsqrt().float()
    return Redundancy(weights, len(rows), len(measured), n_compared)


def _values(
    data: Batch | BackedBatches, view: int, name: str, rows: Tensor
) -> tuple[Tensor, Tensor | None]:
    """A copy of some samples' values of a view, and which are there; ``None`` if all are."""
    if isinstance(data, BackedBatches):
        data = data.alone(name).take(rows).load()
        rows = torch.arange(len(data))
    there = data.observed[name]
    there = None if there is None else there.index_select(0, rows)
    if there is not None and bool(there.all()):
        there = None
    return data.values[name].index_select(0, rows), there


class _Columns:
    """Features about their means, of unit length where no entry is missing.

    Parameters
    ----------
    values
        Of shape (n_samples, n_features); they are overwritten.
    there
        Which entries are, or ``None`` for all.
    """

    def __init__(self, values: Tensor, there: Tensor | None) -> None:
        self.n_samples, self.n_features = values.shape
        self._chance = math.sqrt(2.0 * math.log(max(2, self.n_features)))
        self._level = float(self._levels(torch.tensor([float(self.n_samples)])))
        if there is None:
            self._there = self._squares = None
            values -= values.mean(dim=0)
            # A feature that is constant over these samples resembles none: it stays 0.
            values /= values.norm(dim=0).clamp_min(1e-12)
        else:
            self._there = there.to(values.dtype)
            values.masked_fill_(~there, 0.0)
            # A feature that none of these samples has has sums of 0.
            values -= values.sum(dim=0) / self._there.sum(dim=0).clamp_min(1.0)
            values.masked_fill_(~there, 0.0)
            self._squares = values.square()
        self._values = values

    @property
    def complete(self) -> bool:
        """Whether no entry is missing."""
        return self._there is None

    def _levels(self, n: Tensor) -> Tensor:
        """From which correlation on features are alike that share n samples; like n."""
        # Of four samples or fewer Fisher's transform is not normal, and chance makes any
        # correlation: no two features are alike then.
        chance = torch.tanh(self._chance / (n - 3.0).clamp_min(1e-9).sqrt())
        return torch.where(n > 4.0, chance.clamp_min(ALIKE), 2.0)

    def alike(self, some: slice, others: slice | Tensor) -> Tensor:
        """Tell which features are alike: booleans of shape (n_some, n_others)."""
        products = self._values[:, some].T @ self._values[:, others]
        if self._there is None or self._squares is None:
            return products.abs_() >= self._level
        left = self._squares[:, some].T @ self._there[:, others]
        right = self._there[:, some].T @ self._squares[:, others]
        both = self._there[:, some].T @ self._there[:, others]
        # 0 / 0, of features that share no sample or vary on none they share, is no number, and
        # no number is at any level.
        products.abs_().div_(left.mul_(right).sqrt_())
        return products >= self._levels(both)

    def blocks(self, width: int) -> Iterator[slice]:
        """Cut the features so that comparing each with ``width`` others takes bounded memory."""
        size = max(1, _BLOCK // max(1, width))
        for start in range(0, self.n_features, size):
            yield slice(start, min(start + size, self.n_features))


def _among_all(columns: _Columns) -> Tensor:
    """Count the other features that each is alike to, in double precision."""
    counts = torch.zeros(columns.n_features, dtype=torch.float64)
    for some in columns.blocks(columns.n_features):
        alike = columns.alike(some, slice(some.start, None))
        alike.fill_diagonal_(fill_value=False)
        counts[some] += alike.sum(dim=1).cpu()
        # Pairs within the block were seen from both sides.
        counts[some.stop :] += alike[:, some.stop - some.start :].sum(dim=0).cpu()
    return counts


def _among_some(columns: _Columns, references: Tensor) -> Tensor:
    """Estimate the same from comparisons with the features at some positions."""
    counts = torch.zeros(columns.n_features, dtype=torch.float64)
    others = torch.full_like(counts, float(len(references)))
    others[references] -= 1.0
    for some in columns.blocks(len(references)):
        alike = columns.alike(some, references)
        own = ((references >= some.start) & (references < some.stop)).nonzero().flatten()
        alike[references[own] - some.start, own] = False
        counts[some] = alike.sum(dim=1).double().cpu()
    # A reference that stands alone was compared with none, and has none like it.
    return counts * (columns.n_features - 1) / others.clamp_min(1.0)
