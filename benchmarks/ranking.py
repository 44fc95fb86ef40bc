"""Rankings of weak loadings: by score and by size, beside MOFA+ by size.

    python benchmarks/ranking.py [--truths linear u_shaped] [--samples 100 200] [--seeds 5]

Three views of 200 features, 6 planted factors that drive 5 % of them, at half the signal of
benchmarks/nonlinear.py: effects between 0.3 and 0.7 of the noise's standard deviation. Area under
the precision-recall curve of the planted loadings after matching factors, POEMS from its defaults
and MOFA+ with spike and slab from 16 factors.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import poems
from poems.evaluation.matching import support_auprc
from poems_benchmark.methods.mofa import MofaSettings, fit_mofa


def run(truth: str, signal: float, n: int, seed: int) -> dict[str, object]:
    planted = poems.simulate(
        n,
        200,
        6,
        density=0.05,
        effect=(0.6 * signal, 1.4 * signal),
        truth=truth,
        n_subtypes=1,
        seed=seed,
    )
    model = poems.fit(planted.cohort, seed=seed, progress=False)
    other = fit_mofa(planted.cohort, seed=seed, settings=MofaSettings(n_factors=16))
    return {
        "truth": truth,
        "signal": signal,
        "n": n,
        "seed": seed,
        "factors": model.n_active,
        "size": support_auprc(planted.loadings, model.loadings),
        "score": support_auprc(planted.loadings, model.loading_scores),
        "MOFA+": support_auprc(planted.loadings, other.weights),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truths", nargs="+", default=["linear", "u_shaped"])
    parser.add_argument("--signals", nargs="+", type=float, default=[0.5])
    parser.add_argument("--samples", nargs="+", type=int, default=[100, 200])
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    rows = []
    for truth in args.truths:
        for signal in args.signals:
            for n in args.samples:
                for seed in range(args.seeds):
                    rows.append(run(truth, signal, n, seed))
                    print(
                        {
                            k: np.round(v, 3) if isinstance(v, float) else v
                            for k, v in rows[-1].items()
                        },
                        flush=True,
                    )
    table = pd.DataFrame(rows)
    by = table.groupby(["truth", "signal", "n"])
    print(by[["factors", "size", "score", "MOFA+"]].mean().round(3).to_string())
    table["above_mofa"] = table["score"] > table["MOFA+"]
    table["above_size"] = table["score"] > table["size"]
    print(by[["size", "score", "MOFA+"]].std().round(3).to_string())
    print(table.groupby(["truth", "signal", "n"])[["above_mofa", "above_size"]].sum().to_string())


if __name__ == "__main__":
    main()
