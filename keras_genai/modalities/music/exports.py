"""Exports of models of music."""

from keras_genai.modalities.base import Exports


class MusicExports(Exports):
    def made(self, signatures):
        return "generate_midi" in signatures

    def served(self, loaded, about, name):
        from keras_genai.modalities.music.served import ServedMusic

        return ServedMusic(loaded, about, name)

    def build_page(self, model, events):
        from keras_genai.modalities.music.page import build_music

        return build_music(model, events)
