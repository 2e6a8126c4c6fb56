"""Sentences of a treebank, and what learns from them: shared by the parser and the tagger."""
