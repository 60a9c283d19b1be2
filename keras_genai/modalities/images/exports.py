"""Exports of models of images."""

from keras_genai.modalities.base import Exports


class ImageExports(Exports):
    def served(self, loaded, about, name):
        from keras_genai.modalities.images.served import ServedImages

        return ServedImages(loaded, about, name)

    def build_page(self, model, events):
        from keras_genai.modalities.images.page import build_images

        return build_images(model, events)
