"""GPT: a decoder-only Transformer, from token ids to logits of the next."""

import keras
import numpy as np
from keras import layers, ops

from keras_genai.checks import check_at_least_one
from keras_genai.layers import (
    Attention,
    Block,
    Dropout,
    FeedForward,
    layer_seeds,
)
from keras_genai.layers.attention import dense
from keras_genai.layers.seeds import normal
from keras_genai.models.autoregressive.language_model import LanguageModel
from keras_genai.models.autoregressive.styles import get_style


@keras.saving.register_keras_serializable("keras_genai")
class GPT(LanguageModel):
    """Generative pre-trained Transformer.

    Each token becomes a vector. Each block adds to it twice: attention, from
    the vectors of the tokens before, and a perceptron, from the vector itself.
    A last product gives a logit for each token that may come next. The inputs
    of attention and perceptrons are normalised (pre-norm), the sum is not, so
    that gradients pass through it unchanged.

    Args:
        vocabulary_size: Integer >= 1, or `None` for the tokenizer's.
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`, or `None`.
        max_sequence_length: Integer >= 1, tokens that attention reaches.
            Defaults to `128`.
        num_layers: Integer >= 1. Defaults to `4`.
        num_heads: Integer >= 1, divides `hidden_dim`. Defaults to `4`.
        hidden_dim: Integer >= 1, width of a token's vector. Defaults to
            `128`.
        intermediate_dim: Integer >= 1, width inside the perceptrons, or
            `None` for `4 * hidden_dim`, with SwiGLU `8 / 3 * hidden_dim`
            rounded up to a multiple of 32, which is as many weights.
        num_key_value_heads: Integer >= 1, divides `num_heads`: heads of
            queries share keys and values in groups. `None` for no groups.
        dropout: Float in [0, 1). Defaults to `0.0`.
        style: `"modern"` (default) or `"gpt2"`: it sets each of the six
            choices below that is `None`.
        positions: `"rotary"` (the angle between two tokens' vectors turns
            with their distance), `"learned"` (a vector for each place) or
            `"relative"` (a learned vector for each distance, which queries
            are compared with too).
        normalization: `"rms"` or `"layer"`.
        activation: `"swiglu"` or `"gelu"`.
        tied_embeddings: Boolean. Whether the logits are products with the
            embeddings of the tokens.
        qk_norm: Boolean. Whether queries and keys are normalised.
        use_bias: Boolean. Whether products have a bias.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        token_ids: Integer tensor `(batch, length)`, `length` at most
            `max_sequence_length`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = GPT(vocabulary_size=7, num_layers=1, seed=0)
        >>> model(np.zeros((2, 5), "int32")).shape
        TensorShape([2, 5, 7])

    Reference:
        Radford et al., Language models are unsupervised multitask learners,
        2019; Su et al., RoFormer, 2021; Shazeer, GLU variants, 2020; Zhang and
        Sennrich, RMSNorm, 2019; Ainslie et al., GQA, 2023; Henry et al.,
        Query-key normalization, 2020; Huang et al., Music Transformer, 2018
        (relative positions).
    """

    recipe = {
        "kind": "text",
        "default": {"batch_size": 32, "epochs": 4, "learning_rate": 4e-3},
        "quick": {
            "split": "train[:200000]",
            "epochs": 3,
            "steps_per_epoch": 60,
        },
        "also_called": ("nanogpt", "transformer"),
    }

    learning_rate = 4e-3
    xla = True

    def __init__(
        self,
        vocabulary_size=None,
        tokenizer=None,
        max_sequence_length=128,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        intermediate_dim=None,
        num_key_value_heads=None,
        dropout=0.0,
        style="modern",
        positions=None,
        normalization=None,
        activation=None,
        tied_embeddings=None,
        qk_norm=None,
        use_bias=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            vocabulary_size, tokenizer, max_sequence_length, seed, **kwargs
        )
        check_at_least_one(
            max_sequence_length=max_sequence_length,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
        )
        num_key_value_heads = num_key_value_heads or num_heads
        choices = get_style(
            style,
            positions=positions,
            normalization=normalization,
            activation=activation,
            tied_embeddings=tied_embeddings,
            qk_norm=qk_norm,
            use_bias=use_bias,
        )
        if intermediate_dim is None:
            intermediate_dim = choices.intermediate_dim(hidden_dim)
        _check_heads(
            num_heads, num_key_value_heads, hidden_dim, choices.positions
        )
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.num_key_value_heads = num_key_value_heads
        self.dropout = dropout
        self.style = style
        self.positions = choices.positions
        self.normalization = choices.normalization
        self.activation = choices.activation
        self.tied_embeddings = choices.tied_embeddings
        self.qk_norm = choices.qk_norm
        self.use_bias = choices.use_bias

        # Tokens to vectors, the blocks, and vectors to logits.
        seeds = layer_seeds(seed, "gpt")
        self.token_embedding = layers.Embedding(
            self.vocabulary_size, hidden_dim, normal(seeds)
        )
        if self.positions == "learned":
            self.position_embedding = layers.Embedding(
                max_sequence_length, hidden_dim, normal(seeds)
            )
        self.drop = Dropout(dropout, seed=next(seeds))
        self.blocks = [self._make_block(seeds) for _ in range(num_layers)]
        self.last_normalization = self._make_normalization()
        if not self.tied_embeddings:
            self.head = dense(self.vocabulary_size, False, seeds, name="head")
        self.build((None, None))

    def _make_block(self, seeds):
        attention = Attention(
            self.hidden_dim,
            self.num_heads,
            self.max_sequence_length,
            seeds,
            self.num_key_value_heads,
            positions=self.positions,
            qk_norm=self.qk_norm,
            use_bias=self.use_bias,
            dropout=self.dropout,
            num_layers=self.num_layers,
        )
        feed_forward = FeedForward(
            self.hidden_dim,
            self.intermediate_dim,
            seeds,
            gated=self.activation == "swiglu",
            use_bias=self.use_bias,
            num_layers=self.num_layers,
        )
        return Block(
            attention,
            feed_forward,
            normalizations=[self._make_normalization() for _ in range(2)],
            dropout=Dropout(self.dropout, seed=next(seeds)),
        )

    def _make_normalization(self):
        if self.normalization == "rms":
            return layers.RMSNormalization(epsilon=1e-6)
        return layers.LayerNormalization(epsilon=1e-5)

    @classmethod
    def make_optimizer(cls, learning_rate):
        """Muon, which gives a matrix a step of one length in every direction.

        The momentum of a matrix is brought near to the orthogonal matrix that
        is closest to it. Embeddings and vectors have Adam.

        Args:
            learning_rate: Float, or
                `keras.optimizers.schedules.LearningRateSchedule`.

        Returns:
            `keras.optimizers.Muon`.

        Reference:
            Jordan et al., Muon: an optimizer for hidden layers in neural
            networks, 2024; Liu et al., Muon is scalable for LLM training,
            2025 (the length of the step).
        """
        return keras.optimizers.Muon(
            learning_rate,
            adam_beta_2=0.99,
            weight_decay=0.0,
            adam_weight_decay=0.0,
            exclude_layers=["head"],
        )

    def call(self, token_ids, training=False):
        length = token_ids.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise ValueError(
                f"Attention reaches {self.max_sequence_length} tokens. "
                f"Received: token_ids of shape {tuple(token_ids.shape)}"
            )
        x = self.embed(token_ids, training=training)
        for block in self.blocks:
            x, _ = block(x, training=training)  # (batch, length, hidden_dim)
        return self.logits(x)  # (batch, length, vocabulary_size)

    def embed(self, token_ids, position=0, training=False):
        """The vectors that go into the first block.

        Args:
            token_ids: Integer tensor `(batch, length)`.
            position: Integer, the place of the first. Defaults to `0`.
            training: Boolean, whether dropout is on.

        Returns:
            Float tensor `(batch, length, hidden_dim)`.
        """
        x = self.token_embedding(token_ids)  # (batch, length, hidden_dim)
        if self.positions == "learned":
            places = position + ops.arange(ops.shape(token_ids)[1])
            x = x + self.position_embedding(places)  # + (length, hidden_dim)
        return self.drop(x, training=training)

    def logits(self, x):
        """The logits of the next token, from the output of the last block.

        Args:
            x: Float tensor `(batch, length, hidden_dim)`.

        Returns:
            Float tensor `(batch, length, vocabulary_size)`.
        """
        x = self.last_normalization(x)
        if self.tied_embeddings:
            vectors = self.token_embedding.embeddings  # (vocabulary, hidden)
            logits = ops.matmul(x, ops.cast(ops.transpose(vectors), x.dtype))
        else:
            logits = self.head(x)
        return ops.cast(logits, "float32")

    # Generation: the keys and values of the tokens so far are kept, so that
    # each new token reads them instead of computing them again.

    def initial_state(self, batch_size):
        shape = (
            batch_size,
            self.num_key_value_heads,
            self.max_sequence_length,
            self.hidden_dim // self.num_heads,
        )
        zeros = ops.zeros(shape, self.compute_dtype)
        return [(zeros, zeros) for _ in self.blocks]  # keys and values

    def extend(self, token_ids, state, position):
        x = self.embed(token_ids, position)
        new_state = []
        for block, cache in zip(self.blocks, state, strict=True):
            x, cache = block(x, cache=cache, position=position)
            new_state.append(cache)
        return self.logits(x), new_state

    def attention_maps(self, text):
        """Where each token looks.

        Args:
            text: String of at most `max_sequence_length` tokens.

        Returns:
            Float32 NumPy array `(num_layers, num_heads, length, length)`; each
            row sums to 1, and nothing is right of the diagonal.

        Raises:
            ValueError: If the text is empty or too long.
        """
        token_ids = self._prompt(text)[None]  # (1, length)
        if token_ids.shape[1] > self.max_sequence_length:
            raise ValueError(
                f"The model looks back on {self.max_sequence_length} tokens. "
                f"Received: a text of {token_ids.shape[1]} tokens"
            )
        x, maps = self.embed(token_ids), []
        for block in self.blocks:
            # The weights of this block's attention, then its output.
            normalised = block.normalizations[0](x)
            maps.append(block.attention.weights_of(normalised)[0])
            x, _ = block(x)
        return np.stack([np.asarray(each, "float32") for each in maps])

    # Plumbing.

    def build(self, token_ids_shape):
        """Makes the weights, in a tenth of the time that a call would take.

        Args:
            token_ids_shape: `(None, None)`.
        """
        x_shape = (*token_ids_shape, self.hidden_dim)
        self.token_embedding.build(token_ids_shape)
        if self.positions == "learned":
            self.position_embedding.build(token_ids_shape[1:])
        for block in self.blocks:
            block.build(x_shape)
        self.last_normalization.build(x_shape)
        if not self.tied_embeddings:
            self.head.build(x_shape)

    def get_config(self):
        names = (
            *("num_layers", "num_heads", "hidden_dim", "intermediate_dim"),
            *("num_key_value_heads", "dropout", "style"),
            *("positions", "normalization", "activation"),
            *("tied_embeddings", "qk_norm", "use_bias"),
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
        }


def _check_heads(num_heads, num_key_value_heads, hidden_dim, positions):
    if hidden_dim % num_heads or num_heads % num_key_value_heads:
        raise ValueError(
            "`num_heads` must divide `hidden_dim`, and "
            "`num_key_value_heads` must divide `num_heads`. Received: "
            f"num_heads={num_heads}, hidden_dim={hidden_dim}, "
            f"num_key_value_heads={num_key_value_heads}"
        )
    if positions == "rotary" and hidden_dim // num_heads % 2:
        raise ValueError(
            "Rotary positions turn pairs of numbers: `hidden_dim / num_heads` "
            "must be even. "
            f"Received: hidden_dim={hidden_dim}, num_heads={num_heads}"
        )
