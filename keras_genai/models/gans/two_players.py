"""TwoPlayers: how a model with two optimizers is fitted and saved."""

import keras

from keras_genai.models.core.base import GenerativeModel


class TwoPlayers(GenerativeModel):
    """A model whose generator and discriminator have an optimizer each."""

    def fit(self, *args, **kwargs):
        history = super().fit(*args, **kwargs)
        # As Keras does for one optimizer: averaged weights replace the
        # weights.
        for optimizer, network in (
            (self.d_optimizer, self.discriminator),
            (self.g_optimizer, self.generator),
        ):
            optimizer.finalize_variable_values(network.trainable_variables)
        return history

    @classmethod
    def from_config(cls, config):
        augmentation = keras.saving.deserialize_keras_object(
            config["discriminator_augmentation"]
        )
        return super().from_config(
            {**config, "discriminator_augmentation": augmentation}
        )

    def compile_from_config(self, config):
        augmentation = self.discriminator_augmentation
        adapted = getattr(augmentation, "target", None) is not None
        if config["loss"] == "wasserstein" and adapted:  # an older file
            augmentation.target = None
            self.say_once(
                "The augmentation keeps its present strength: a Wasserstein "
                "GAN gives no verdicts to adapt it to."
            )
        super().compile_from_config(config)

    def get_compile_config(self):
        serialize = keras.saving.serialize_keras_object
        if not self.compiled:
            return None
        return {
            "d_optimizer": serialize(self.d_optimizer),
            "g_optimizer": serialize(self.g_optimizer),
            "loss": self.loss,
            "label_smoothing": self.label_smoothing,
            "gradient_penalty": self.gradient_penalty,
            **self._given,
        }
