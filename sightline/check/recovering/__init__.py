"""The convex problem in what was recorded: scores, rows, loss, penalty."""
