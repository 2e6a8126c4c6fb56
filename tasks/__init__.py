"""Runnable experiments, each one ``python -m tasks.<name>``. They use structpred's public names only."""
