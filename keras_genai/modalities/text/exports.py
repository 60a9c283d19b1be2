"""Exports of models of text."""

from keras_genai.modalities.base import Exports


class TextExports(Exports):
    def made(self, signatures):
        # An export of music has `score` too, but for token ids.
        score = signatures.get("score")
        if score is None:
            return False
        return "text" in score.structured_input_signature[1]

    def served(self, loaded, about, name):
        from keras_genai.modalities.text.served import ServedText

        return ServedText(loaded, about, name)

    def build_page(self, model, events):
        from keras_genai.modalities.text.page import build_text

        return build_text(model, events)
