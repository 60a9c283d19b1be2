"""A page in the browser for exported models; SavedModels are all it needs."""

from keras_genai.demo.page import build_page, launch

__all__ = ["build_page", "launch"]
