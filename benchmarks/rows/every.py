"""All rows, in the table's order."""

from benchmarks.rows import growth, imports, memory, neighbours, predict_then_optimize, programs, rivals, spaces, step
from benchmarks.rows import threads as of_threads

ROWS = [
    *step.ROWS,
    *rivals.ROWS,
    *spaces.ROWS,
    *programs.ROWS,
    *of_threads.ROWS,
    *neighbours.ROWS,
    *predict_then_optimize.ROWS,
    *imports.ROWS,
    *memory.ROWS,
    *growth.ROWS,
]
