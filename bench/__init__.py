"""Sightline and its peers on one machine, in one run, to the same objective value: ``python -m bench``."""
