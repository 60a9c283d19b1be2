"""How images are shown during training, and measured after it."""

import typing

from keras_genai.modalities.base import Training

_PROJECTED = 500  # images whose codes TensorBoard shows
_FEATURES = 64  # of the extractor that evaluates samples


class ImageTraining(Training):
    written = "samples/, samples.gif   the same noise"
    alarms: typing.ClassVar = {
        "mode_collapse": (
            "the generator makes a few images again and again.",
            "a lower g_learning_rate, discriminator_steps=2, or WGANGP.",
            "tutorial 10, 'What goes wrong'",
        ),
    }

    def sampler(self, recipe, folder):
        from keras_genai.callbacks import SampleImages

        return SampleImages(folder / "samples", folder / "samples.gif")

    def tensorboard_arguments(self, recipe, model, examples):
        import numpy as np

        if not hasattr(model, "encode"):
            return {}
        labels = examples.labels
        return {
            "images": examples.images[:_PROJECTED] / np.float32(255),
            "labels": None if labels is None else labels[:_PROJECTED],
        }

    def show(self, model, board):
        from keras_genai.plotting import image_grid

        images = model.generate(board.num_samples, seed=board.seed)
        grid = image_grid(images, zoom=max(1, 56 // images.shape[1]))
        board.summary.image("samples", grid[None])

    def doctor_arguments(self, examples):
        return {"reference": examples.images}

    def look(self, doctor):
        if doctor.reference is None:
            return super().look(doctor)
        from keras_genai.modalities.images.variety import ModeCollapse

        return ModeCollapse(doctor)

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        from keras_genai.evaluation import evaluate_samples

        training = training()
        count = num_samples or min(len(held_out), len(training))
        if training.labels is None or len(training.class_names) < 2:
            why = "the images have no classes to train a feature extractor on"
        elif num_samples is None and count <= _FEATURES:
            why = (
                f"they are compared in {_FEATURES} features, with {count} "
                "images"
            )
        else:
            samples = evaluate_samples(
                model, held_out, training, num_samples=num_samples, seed=seed
            )
            return {"samples": samples.to_dict()}, samples
        print(f"The samples are not evaluated: {why}.")
        return {}, None
