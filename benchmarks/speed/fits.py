"""A default fit beside MOFA+'s on each labelled cohort: seconds, their ratio, peak memory.

    python benchmarks/speed/fits.py DATA_DIR [--threads 1] [--rounds 3] [--out speed]

POEMS with its defaults, network included; MOFA+ (mofapy2) with 15 factors and
its own convergence, "fast". The cohort is in memory before either starts and nothing is written.
Every fit has a process of its own; the two alternate, and the table holds medians over rounds.
What is paid once a process, imports and a tiny fit that loads compiled code, is not in the seconds
but in a column of its own. CPU seconds, of all threads, are those that a shared machine does not
lengthen by making a process wait. Peak memory is the process's highest during the fit, libraries
included.
Needs pip install 'poems-omics[benchmark]'.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from measuring import in_child, parser, show
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort, read_cohort_specs

DESCRIPTIONS = Path(__file__).parents[1] / "cohorts.toml"
METHODS = ("POEMS", "MOFA+")


def fit(method: str, spec: CohortSpec, threads: int, seed: int) -> dict[str, float]:
    """Fit once; called in a process of its own."""
    start = time.perf_counter()
    from poems.simulation.cohort import simulate
    from poems_benchmark.running.memory import forget_peak_memory, peak_memory_mb

    tiny = simulate(n_samples=40, n_features=30, n_factors=3, n_views=2, seed=0).cohort
    if method == "POEMS":
        from poems.fitting.fit import fit as fit_poems

        fit_poems(tiny, epochs=2, threads=threads, progress=False)
    else:
        from poems_benchmark.methods.mofa import Mofa, MofaSettings

        Mofa(MofaSettings(iterations=2)).fit(tiny, seed)
    found = {"warm-up": time.perf_counter() - start}
    cohort = read_benchmark_cohort(spec)
    forget_peak_memory()
    start, cpu = time.perf_counter(), time.process_time()
    if method == "POEMS":
        model = fit_poems(cohort, seed=seed, threads=threads, progress=False)
        found |= {"length": len(model.history), "factors": model.n_active}
    else:
        result = Mofa().fit(cohort, seed)
        found |= {"length": result.details["iterations"], "factors": result.embedding.shape[1]}
    found["seconds"] = time.perf_counter() - start
    found["CPU"] = time.process_time() - cpu
    peak = peak_memory_mb()
    return found | ({} if peak is None else {"peak MB": peak})


def row(rounds: pd.DataFrame) -> dict[str, float]:
    """Bring one cohort's fits to a row: medians, and the ratio of seconds with its range."""
    middle = rounds.groupby("method").median(numeric_only=True)
    pairs = rounds.pivot(index="round", columns="method", values="seconds")
    ratios = pairs[METHODS[0]] / pairs[METHODS[1]]
    cells = {
        "ratio": middle["seconds"][METHODS[0]] / middle["seconds"][METHODS[1]],
        "least": ratios.min(),
        "most": ratios.max(),
        "CPU ratio": middle["CPU"][METHODS[0]] / middle["CPU"][METHODS[1]],
    }
    for name in ("CPU", "peak MB", "warm-up"):
        cells |= {f"{method} {name}": middle[name][method] for method in METHODS}
    cells |= {"epochs": middle["length"][METHODS[0]], "iterations": middle["length"][METHODS[1]]}
    return {f"{method} s": middle["seconds"][method] for method in METHODS} | cells


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, metavar="DATA_DIR")
    arguments.add_argument("--only", nargs="+", metavar="COHORT")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    specs = [spec for spec in read_cohort_specs(DESCRIPTIONS, args.data) if spec.labels]
    rows: dict[str, dict[str, float]] = {}
    for spec in specs:
        if args.only and spec.name not in args.only:
            continue
        records = []
        for round_ in range(args.rounds):
            for method in METHODS:
                found = in_child(fit, method, spec, args.threads, round_, threads=args.threads)
                records.append({"method": method, "round": round_} | found)
                print(spec.name, method, f"{found['seconds']:.1f} s", flush=True)
        rows[spec.name] = row(pd.DataFrame(records))
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.loc["median"] = table.median()
    told = f"threads: {args.threads}, medians of {args.rounds} rounds"
    show(table, f"A default fit beside MOFA+, {told}", args.out, f"fits-{args.threads}", digits=1)


if __name__ == "__main__":
    main()
