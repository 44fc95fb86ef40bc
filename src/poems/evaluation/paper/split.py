"""The POEMS paper's split of a cohort into training, validation and test samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.agreement import as_codes
from poems.errors import DataError
from poems.findings import count, name_some

# The seed of both splits in the paper's code (arXiv 2511.03464).
PAPER_SPLIT_SEED = 1
# Share that each of the two splits takes off.
_SHARE = 0.2

_Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class PaperSplit:
    """Names of the samples of each part; no sample is in two.

    Parameters
    ----------
    train
        Samples that gradients come from.
    validation
        Samples that early stopping watches.
    test
        Samples that are scored, seen by no fit.
    """

    train: pd.Index
    validation: pd.Index
    test: pd.Index

    @property
    def fitted(self) -> pd.Index:
        """Samples that a fit may see: training and validation."""
        return self.train.append(self.validation)

    def table(self) -> pd.Series:
        """Return the part of each sample, indexed by sample."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return pd.concat([pd.Series(name, index=names) for name, names in parts.items()]).rename(
            "part"
        )


def paper_split(
    samples: pd.Index,
    *,
    groups: pd.Series | None = None,
    published: pd.Series | None = None,
    seed: int = PAPER_SPLIT_SEED,
) -> PaperSplit:
    """Split samples as the paper does: a fifth off for the test, a fifth of the rest to validate.

    Both are scikit-learn's ``train_test_split`` with ``random_state`` 1, which
    depends on the order of the samples and on nothing else.

    Parameters
    ----------
    samples
        Sample names, in the order of the cohort.
    groups
        Group of each sample, a patient for example. Samples of one group stay
        in the same part; the shares are then of groups.
    published
        ``"train"`` or ``"test"`` for each sample, where the authors of the data
        split them: it takes the place of the first split.
    seed
        Seed of both splits.

    Raises
    ------
    DataError
        If there are too few samples or groups, a group is missing, a published
        part is not one of the two, or it tears a group apart.

    Examples
    --------
    >>> split = paper_split(pd.Index([f"s{i}" for i in range(100)]))
    >>> len(split.train), len(split.validation), len(split.test)
    (64, 16, 20)
    """
    codes = None if groups is None else as_codes("groups", groups)
    rows = np.arange(len(samples))
    if published is None:
        rest, test = _split(rows, codes, seed)
    else:
        test = _published_test(published)
        rest = np.setdiff1d(rows, test)
        if codes is not None and groups is not None:
            torn = np.intersect1d(codes[test], codes[rest])
            if len(torn):
                names = groups[np.isin(codes, torn)].unique()
                raise DataError(
                    f"{count(len(torn), 'group is', 'groups are')} in both parts of the published "
                    f"split ({name_some(names)}); give no groups to use it all the same"
                )
    train, validation = _split(rest, codes, seed)
    return PaperSplit(samples[train], samples[validation], samples[test])


def _split(rows: _Rows, codes: npt.NDArray[np.intp] | None, seed: int) -> tuple[_Rows, _Rows]:
    """Split a fifth off, whole groups if there are any."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    try:
        if codes is None:
            first, second = train_test_split(rows, test_size=_SHARE, random_state=seed)
        else:
            splitter = GroupShuffleSplit(1, test_size=_SHARE, random_state=seed)
            ((left, right),) = splitter.split(rows, groups=codes[rows])
            first, second = rows[left], rows[right]
    except ValueError as error:
        what = "samples" if codes is None else "groups"
        raise DataError(f"there are too few {what} to split a fifth off: {error}") from error
    return first, second


def _published_test(published: pd.Series) -> _Rows:
    """Return the rows of the published test samples."""
    strange = ~published.isin(["train", "test"])
    if strange.any():
        raise DataError(
            "the published split must say 'train' or 'test' of every sample; it says "
            f"{name_some(published[strange].unique())} of {int(strange.sum())}"
        )
    test = np.flatnonzero((published == "test").to_numpy())
    if not 0 < len(test) < len(published):
        raise DataError(f"the published split puts {len(test)} of {len(published)} into the test")
    return test
