"""Recipes: trainings as people write them, recorded step by step, and certified at their end."""

from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Training
from sightline.recipes.trace import TrainingTrace
from sightline.recipes.training import train

__all__ = ["Recipe", "Training", "TrainingTrace", "train"]
