"""Work in a forked child, where a deadlock fails the test instead of hanging it."""

import os
import signal
import warnings

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")


def status_of_forked_child(work) -> int:
    """Exit status of a forked child that does the work: 0 if it returned true; an alarm ends one that hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forking with threads alive
        child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(60)
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
