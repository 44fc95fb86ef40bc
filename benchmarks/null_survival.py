"""How often a survival analysis reports anything where there is nothing: times permuted.

    python benchmarks/null_survival.py [--runs 200] [--out null_survival.csv]

Simulated cohorts of two views of 60 features, fitted with fast settings; survival drawn without
regard to them and anew in every run: the same as permuting times, with their events, over the
patients. Settings: many events (half of 150 patients), the same adjusted for two covariates, few
events (14 %), and many subtypes (8, 30 % events). "reports" is the share of runs in which anything
is reported at a nominal false discovery rate of 10 % over the log-rank test, the subtypes' Cox test
and those of the factors; "log-rank", "Cox" and "factors" are the shares in which the p of each
alone is below 0.1 (of the factors: q below 0.1 over the factors); "crossing" the share in which
hazards are said not to be proportional, nominally 5 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import poems
from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.subtypes.finding import Subtypes
from poems.analysis.survival import Survival, survival_analysis

NOMINAL = 0.1
# Permutations of one fitted cohort.
_EACH = 20
SETTINGS = {
    "many events": {"share": 0.5, "n_subtypes": 3, "covariates": ()},
    "with covariates": {"share": 0.5, "n_subtypes": 3, "covariates": ("age", "stage")},
    "few events": {"share": 0.14, "n_subtypes": 3, "covariates": ()},
    "many subtypes": {"share": 0.3, "n_subtypes": 8, "covariates": ()},
}


def cohorts(n_runs: int, seed: int) -> Iterator[tuple[poems.FittedPoems, dict[int, Subtypes], int]]:
    """Yield a fitted cohort and its subtypes, by their number, for each run; each serves 20."""
    numbers = {setting["n_subtypes"] for setting in SETTINGS.values()}
    for start in range(0, n_runs, _EACH):
        cohort = poems.simulate(
            n_samples=150, n_features={"rna": 60, "protein": 60}, n_factors=5, density=0.15,
            seed=seed + start,
        ).cohort  # fmt: skip
        model = poems.fit(cohort, seed=0, epochs=30, n_latent=8, progress=False)
        subtypes = {n: poems.find_subtypes(model, n, metric="latent") for n in numbers}
        for run in range(start, min(start + _EACH, n_runs)):
            yield model, subtypes, run


def null_survival(n_runs: int = 200, seed: int = 0, out: Path | None = None) -> pd.DataFrame:
    """Run the null; return a row a setting and run: what was reported. Also kept in ``out``.

    Columns: ``setting``, ``run``, ``n_events``, ``reports`` (of the whole analysis), ``log-rank``,
    ``Cox`` (subtypes), ``factors``, ``crossing``.
    """
    rows = []
    for model, subtypes, run in cohorts(n_runs, seed):
        rng = np.random.default_rng([seed, run])
        n = len(model.samples)
        obs = pd.DataFrame(
            {"age": rng.normal(60, 10, n), "stage": rng.choice(["i", "ii", "iii"], n)},
            index=model.samples,
        )
        for name, setting in SETTINGS.items():
            share = setting["share"]
            death = rng.exponential(1.0, n)
            # The rate of censoring that leaves this share of events.
            end = rng.exponential(share / (1 - share), n)
            found = survival_analysis(
                model.latent,
                subtypes[setting["n_subtypes"]].assignment,
                pd.Series(np.minimum(death, end), model.samples, name="time"),
                pd.Series(death <= end, model.samples, name="event"),
                setting["covariates"],
                obs=obs,
                fdr=NOMINAL,
                n_repeats=0,
            )
            rows.append({"setting": name, "run": run, **reported(found)})
        if out is not None:
            pd.DataFrame(rows).to_csv(out, index=False)
    return pd.DataFrame(rows)


def reported(found: Survival) -> dict[str, object]:
    """Say what one analysis reports."""
    tests = found.tests
    of_subtypes = tests["what"] == "subtype"
    factors = false_discovery_rates(tests.loc[~of_subtypes, "p"].to_numpy(dtype=float))
    smallest = tests[of_subtypes].groupby("test")["p"].min()
    return {
        "n_events": int(found.curves.summary["n_events"].sum()),
        "reports": bool(len(found.reported)),
        "log-rank": bool(smallest.get("log-rank", 1.0) <= NOMINAL),
        "Cox": bool(smallest.get("Cox", 1.0) <= NOMINAL),
        "factors": bool((factors <= NOMINAL).any()),
        "crossing": bool(found.proportional["violated"].any()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table = null_survival(arguments.runs, arguments.seed, arguments.out)
    shares = table.drop(columns="run").groupby("setting", sort=False).mean(numeric_only=False)
    print(shares.round(3).to_string())


if __name__ == "__main__":
    main()
