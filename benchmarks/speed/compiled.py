"""Does torch.compile pay? Encoders, gate and fusion of a default model, compiled and not.

    python benchmarks/speed/compiled.py [--rounds 100] [--out speed]

The decoder is not compiled by it: its kernel is compiled already. Views of 1000, 1000 and 503
features, batches of 128, forward and backward in alternating rounds, one thread; the seconds of
compiling beside, and after how many steps the time that was gained would have made up for them.
"""

from __future__ import annotations

import time

import pandas as pd
import torch

from measuring import interleaved, parser, show
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings

SIZES = {"mrna": 1000, "methylation": 1000, "mirna": 503}
N_SAMPLES = 128


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=100)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = POEMS({name: torch.ones(size) for name, size in SIZES.items()}, Settings())
    values = {name: torch.randn(N_SAMPLES, size) for name, size in SIZES.items()}
    measured = torch.ones(N_SAMPLES, len(SIZES), dtype=torch.bool)
    batch = Batch(values, dict.fromkeys(SIZES), measured)
    compiled = torch.compile(model.encode)

    def step(encode: object) -> None:
        model.zero_grad()
        posterior = encode(batch).posterior  # type: ignore[operator]
        (posterior.mean.square().mean() + posterior.variance.mean()).backward()

    start = time.perf_counter()
    step(compiled)
    seconds = time.perf_counter() - start
    times = interleaved(
        {"as it is": lambda: step(model.encode), "compiled": lambda: step(compiled)}, chosen.rounds
    )
    gain = times["as it is"] - times["compiled"]
    table = pd.DataFrame(
        {
            "ms a step": {name: 1e3 * value for name, value in times.items()},
            "seconds to compile": {"as it is": 0.0, "compiled": seconds},
            "steps to make up for it": {
                "as it is": 0.0,
                "compiled": seconds / gain if gain > 0 else float("inf"),
            },
        }
    )
    show(table, "Encoders, gate and fusion, forward and backward", chosen.out, "compiled")


if __name__ == "__main__":
    main()
