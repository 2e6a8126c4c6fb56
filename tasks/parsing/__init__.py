"""Dependency trees of sentences, trained through the best tree on the heads that are wrong (Universal Dependencies)."""
