"""Writes the tables of docs/reproduction.md anew, from the committed results; what stands between them it leaves."""

from benchmarks.page import rewrite
from benchmarks.reproduction.tables import PAGE, TABLES

if __name__ == "__main__":
    rewrite(PAGE, TABLES)
