"""Distributions: log-probabilities, draws and divergences, in nats.

Each is made from the outputs of a network, with examples along the first axis.
The other axes are independent of each other. `log_prob` and `kl_divergence`
add them up, to one value an example; `log_prob_per_dimension` and
`kl_per_dimension` do not.
"""

from keras_genai.distributions.discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Multinomial,
)
from keras_genai.distributions.distribution import Distribution
from keras_genai.distributions.normal import Normal
from keras_genai.distributions.pixels import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)

__all__ = [
    "Bernoulli",
    "Binomial",
    "Categorical",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Distribution",
    "Multinomial",
    "Normal",
]
