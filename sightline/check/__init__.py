"""check: a person's own training, watched as it runs, measured against the certified optimum of its problem."""
