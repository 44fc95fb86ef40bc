"""What a model can be made of, by the names of settings: one registry per kind, one line per part.

Nothing is imported until it is used. A part from outside POEMS is added by
``LIKELIHOODS.register("laplace", Laplace)``, or by an entry point, see
:class:`poems.settings.registry.Registry`; what it has to do is said by the class, or the
type, that each registry names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems.settings.registry import Registry

if TYPE_CHECKING:
    from poems.nn.decoder import DecoderFactory
    from poems.nn.distributions.fusion import FusionRule
    from poems.nn.gate import GateFactory
    from poems.nn.likelihoods import LikelihoodFactory
    from poems.nn.prior import PriorFactory
    from poems.scaling.sizes import SizeRule
    from poems.training.starts.kinds import Start

LIKELIHOODS: Registry[LikelihoodFactory] = Registry(
    "likelihood",
    {
        "gaussian": "poems.nn.likelihoods.gaussian:GaussianLikelihood",
        "bernoulli": "poems.nn.likelihoods.bernoulli:BernoulliLikelihood",
        "poisson": "poems.nn.likelihoods.poisson:PoissonLikelihood",
        "negative_binomial": "poems.nn.likelihoods.negative_binomial:NegativeBinomialLikelihood",
        "zinb": "poems.nn.likelihoods.zero_inflated:ZeroInflatedLikelihood",
        "student_t": "poems.nn.likelihoods.student_t:StudentTLikelihood",
        "beta": "poems.nn.likelihoods.beta:BetaLikelihood",
        "ordinal": "poems.nn.likelihoods.ordinal:OrdinalLikelihood",
    },
)

FUSIONS: Registry[FusionRule] = Registry(
    "fusion",
    {
        "poe": "poems.nn.distributions.fusion:product_of_experts",
        "poe_prior": "poems.nn.distributions.fusion:product_with_prior_expert",
        "moe": "poems.nn.distributions.fusion:mixture_of_experts",
    },
)

GATES: Registry[GateFactory] = Registry(
    "gate",
    {
        "learned": "poems.nn.gate:LearnedGate",
        "linear": "poems.nn.gate:LinearGate",
        "equal": "poems.nn.gate:EqualGate",
    },
)

PRIORS: Registry[PriorFactory] = Registry(
    "prior",
    {"normal": "poems.nn.prior:NormalPrior", "mixture": "poems.nn.prior:MixturePrior"},
)

DECODERS: Registry[DecoderFactory] = Registry(
    "decoder",
    {"sparse": "poems.nn.decoder:SparseDecoder", "dense": "poems.nn.decoder:DenseDecoder"},
)

STARTS: Registry[Start] = Registry(
    "start",
    {
        "sparse_linear": "poems.training.starts.kinds:sparse_linear",
        "random": "poems.training.starts.kinds:drawn",
    },
)

SIZES: Registry[SizeRule] = Registry(
    "size factor",
    {
        "totals": "poems.scaling.sizes:totals",
        "pooled": "poems.scaling.sizes:pooled",
        "none": "poems.scaling.sizes:alike",
    },
)
