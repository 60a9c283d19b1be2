"""A page in the browser for exported models; it needs only SavedModels."""

from keras_genai.demo.page import build_page, launch

__all__ = ["build_page", "launch"]
