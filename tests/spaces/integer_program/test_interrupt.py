"""Ctrl-C while a program is solved, and after: a ``KeyboardInterrupt``, of which Python code can clean up."""

import os
import subprocess
import sys
from concurrent.futures import CancelledError

import pytest

from structpred.spaces._integer_program.solvers import Interruption

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")

SCRIPT = """
import os, signal, sys, threading, time
import numpy as np, torch
from scipy.optimize import LinearConstraint
import structpred as sp

signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored where the tests run in the background

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

solver, threads = sp.LinearSolver[sys.argv[1]], int(sys.argv[2])
torch.set_num_threads(2)
easy = sp.IntegerProgram(20, LinearConstraint(np.arange(20), ub=60), solver=solver)
easy.argmax(torch.randn(16, 20, generator=torch.Generator().manual_seed(0)))
try:
    interrupt()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted after a solve")

torch.set_num_threads(threads)
rng = np.random.default_rng(0)
weights = rng.integers(1, 1000, (8, 90))  # worth what they weigh, nearly: without end, for all practical purposes
hard = sp.IntegerProgram(90, LinearConstraint(weights, ub=weights.sum(1) // 2), solver=solver)
threading.Timer(0.5, interrupt).start()
try:
    hard.argmax(torch.from_numpy(weights.mean(0) + rng.random(90)).expand(6, 90))
except KeyboardInterrupt:
    print("interrupted a solve")
finally:
    print("cleaned up")
torch.set_num_threads(2)
assert (easy.argmax(torch.ones(3, 20)).sum(-1) == 11).all()  # 0 + 1 + ... + 10 = 55
print("and solved again")
"""


@pytest.mark.parametrize(("solver", "threads"), [("SCIP", 2), ("CP_SAT", 1), ("HIGHS", 1)])
def test_ctrl_c_ends_the_solves_and_nothing_else(solver, threads):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, solver, str(threads)], capture_output=True, text=True, timeout=60
    )
    said = ["interrupted after a solve", "interrupted a solve", "cleaned up", "and solved again"]
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (said, "", 0)


def test_an_interruption_ends_the_solves_that_run_and_lets_none_begin():
    class Solver:
        ended = 0

        def solve(self, model):
            interruption()

        def interrupt_solve(self):
            self.ended += 1

    interruption, running, later = Interruption(), Solver(), Solver()
    with pytest.raises(CancelledError):
        interruption.solve(running, None)
    with pytest.raises(CancelledError):
        interruption.solve(later, None)
    interruption()
    assert (running.ended, later.ended) == (1, 0)  # not once more, when it has ended
