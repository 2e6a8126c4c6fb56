"""Subjects that are each wrong in one way; ``every`` imports all of them."""
