"""A run: a recipe, trained into a folder that holds all its results."""

from keras_genai.runs.begin import new_record, next_folder, versions
from keras_genai.runs.machines import follow
from keras_genai.runs.run import Run

__all__ = ["Run", "follow", "new_record", "next_folder", "versions"]
