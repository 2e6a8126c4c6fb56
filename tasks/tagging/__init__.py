"""Parts of speech of the words of sentences, trained through the best label sequence (Universal Dependencies, UPOS)."""
