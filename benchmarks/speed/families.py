"""A training step of views of other likelihoods beside one of Gaussian views.

    python benchmarks/speed/families.py [--features 2000] [--kinds negative_binomial ...] [--out x]

Three views of 500 samples, of which two are of a kind; mini-batches of 128, one thread, late in
training. Steps alternate between the kinds: medians of the process's own seconds, and their ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import pandas as pd
import torch

import poems
from measuring import interleaved, parser, show
from poems.fitting.fit import _start
from poems.fitting.likelihood_choice import choose_likelihoods
from poems.fitting.preparing import prepare_fit
from poems.nn.objective import elbo_terms
from poems.settings.schema import Settings
from poems.training.loop import _Schedules
from poems.training.optimizer import Optimizer

BASE = "gaussian"
KINDS = ("bernoulli", "poisson", "negative_binomial", "zinb", "ordinal", "beta", "student_t")
_LATE = 0.9


def step_of(kind: str, n_features: int) -> Callable[[], object]:
    """Return what takes the next training step of a cohort with two views of a kind."""
    kinds = {} if kind == BASE else {"view2": kind, "view3": kind}
    cohort = poems.simulate(500, n_features, kinds=kinds, seed=0).cohort
    settings, chosen = choose_likelihoods(
        cohort, Settings().updated(likelihood={"view1": BASE, "view2": kind, "view3": kind})
    )
    torch.manual_seed(0)
    prepared = prepare_fit(cohort, settings, 0, chosen)
    model, data, _, _ = _start(prepared, torch.device("cpu"), None)
    optimizer, schedules = Optimizer(model, settings), _Schedules(model, data, settings)
    optimizer.set_progress(_LATE)
    schedules.set_progress(_LATE)
    model.train()
    batches, steps = list(data.batches(settings.training.batch_size))[:3], count()

    def step() -> None:
        batch = batches[next(steps) % len(batches)]
        terms = elbo_terms(
            model, batch, settings, n_samples=len(data), kl_weight=1.0, turns=optimizer.turns
        )
        optimizer.step(terms, batch.present())

    return step


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--features", type=int, default=2000, help="features of each view")
    arguments.add_argument("--kinds", nargs="+", default=list(KINDS))
    arguments.add_argument("--rounds", type=int, default=9)
    args = arguments.parse_args()
    torch.set_num_threads(1)
    steps = {kind: step_of(kind, args.features) for kind in (BASE, *args.kinds)}
    seconds = interleaved(steps, args.rounds, clock=time.process_time)
    table = pd.DataFrame(
        {
            "ms a step": {kind: 1e3 * seconds[kind] for kind in steps},
            "over Gaussian": {kind: seconds[kind] / seconds[BASE] for kind in steps},
        }
    )
    show(table, f"Steps, 3 x {args.features} features", args.out, "families")


if __name__ == "__main__":
    main()
