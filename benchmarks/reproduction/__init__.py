"""The tables of docs/reproduction.md: the paper's figures beside those of the committed results."""
