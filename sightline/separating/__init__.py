"""Separation: which rows and coefficients a model without a penalty sends to infinity, and what is left."""
