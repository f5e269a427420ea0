"""Constraints on rates: recall, precision, false-positive rate and others, on the training rows and on new data."""
