"""The rows, one file for each kind; ``every`` has them all."""
