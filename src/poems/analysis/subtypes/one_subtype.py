"""All samples in one subtype: what a run holds where no subtypes could be found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from poems.analysis.subtypes.finding import Subtypes


def one_subtype(samples: pd.Index) -> Subtypes:
    """Return subtypes of which there is one, ``S1``; silhouettes are not defined.

    Examples
    --------
    >>> one_subtype(pd.Index(["a", "b"])).sizes.to_dict()
    {'S1': 2}
    """
    tried = pd.Index([1], name="n_subtypes")
    return Subtypes(
        assignment=pd.Series("S1", index=samples, name="subtype", dtype=object),
        silhouette=pd.Series([np.nan], index=tried, name="silhouette"),
        smallest=pd.Series([len(samples)], index=tried, name="smallest"),
        sample_silhouette=pd.Series(np.nan, index=samples, name="silhouette"),
    )
