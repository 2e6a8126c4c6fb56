"""The code that a failure shows, run as a user would who pastes it."""

import re

import pytest


def shows_again(failure: str, error: type[Exception] = Exception) -> None:
    """Asserts that the code in the text of a failure runs into the failure again, whatever kind of error that is."""
    code = re.sub("(?m)^    ", "", failure.partition("to see it again:\n")[2])
    with pytest.raises(error) as caught:  # a violation, or what the broken subject raises
        exec(code, {})
    assert not isinstance(caught.value, NameError | SyntaxError | ImportError), code
