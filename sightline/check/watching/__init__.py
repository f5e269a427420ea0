"""Watching a script as it trains, through PyTorch's public hooks; nothing of what it computes is changed."""
