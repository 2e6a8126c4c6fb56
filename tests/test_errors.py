import copy
import pickle

import pytest
import torch

import structpred as sp
from structpred.errors import Words, argument_error, describe


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (sp.ArgumentError, (sp.StructpredError, ValueError)),
        (sp.SpaceError, (sp.StructpredError,)),
        (sp.MissingExtraError, (sp.StructpredError, ImportError)),
    ],
)
def test_each_error_is_caught_as_its_parents(error, parents):
    for parent in parents:
        with pytest.raises(parent, match="text"):
            raise error("text")


@pytest.mark.parametrize("error", [sp.InfeasibleError, sp.SolverTimeoutError])
def test_what_is_wrong_with_examples_is_one_of_ours_and_not_mistaken_for_a_wrong_argument(error):
    assert issubclass(error, sp.StructpredError)
    assert not issubclass(error, ValueError)


@pytest.mark.parametrize(
    ("examples", "named"),
    [
        ([()], "the only example"),
        ([(3,)], "example 3"),
        ([(0,), (2,)], "examples 0, 2"),
        ([(i,) for i in range(5)], "examples 0, 1, 2, 3, 4"),
        ([(i,) for i in range(7)], "examples 0, 1, 2, 3, 4 and 2 more"),
        ([(1, 2)], "example (1, 2)"),
        ([(0, 1), (1, 2)], "examples (0, 1), (1, 2)"),
    ],
)
def test_infeasibility_names_the_examples_and_holds_all_their_indices(examples, named):
    error = sp.InfeasibleError(iter(examples))
    assert error.examples == examples
    assert str(error) == f"scores: every structure needs a part forbidden by -inf in {named}; allow more parts there"


def test_a_time_out_names_the_examples_and_what_to_allow():
    message = "scores: the time limit ended the search in examples 0, 2; allow more time, a gap, or an incumbent"
    assert str(sp.SolverTimeoutError([(0,), (2,)])) == message


@pytest.mark.parametrize("kind", [sp.InfeasibleError, sp.SolverTimeoutError])
@pytest.mark.parametrize("duplicate", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_of_examples_survive_the_way_out_of_another_process(duplicate, kind):
    error = kind([(0, 1), (1, 2)])
    again = duplicate(error)
    assert type(again) is kind
    assert again.examples == error.examples
    assert str(again) == str(error)


def test_an_argument_error_names_the_argument_what_was_expected_and_what_came():
    error = argument_error("size", "an integer", 2.5)
    assert isinstance(error, sp.ArgumentError)
    assert str(error) == "size: expected an integer, got 2.5 (float)"


def test_an_argument_error_says_what_to_write_instead():
    assert str(argument_error("size", "a number", None, "write 3")).endswith("got None (NoneType); write 3")


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (3, "3 (int)"),
        (True, "True (bool)"),
        ([1.0], "[1.0] (list)"),
        (Words("two of them"), "two of them"),
        ("12", "'12' (str)"),
        (torch.float32, "torch.float32 (dtype)"),
        (torch.zeros(2, 3), "a float32 tensor of shape (2, 3)"),
        (torch.zeros(2, dtype=torch.int64), "an int64 tensor of shape (2,)"),
        (torch.zeros(4, dtype=torch.bool), "a bool tensor of shape (4,)"),
        (torch.zeros((), dtype=torch.bfloat16), "a bfloat16 tensor of shape ()"),
        (torch.zeros(2, 3, device="meta"), "a float32 tensor of shape (2, 3) on meta"),
    ],
)
def test_what_came_is_described_in_a_short_phrase(value, phrase):
    assert describe(value) == phrase


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (
            [sp.Matching(n) for n in range(2, 202)],
            "[Matching(rows=2, cols=2), Matching(rows=3, cols=3), Matching(rows=4, cols=4), ...] (list of length 200)",
        ),
        ("x" * 200, f"'{'x' * 27}...{'x' * 28}' (str of length 200)"),
        (dict.fromkeys(range(100), 0), "{0: 0, 1: 0, 2: 0, ...} (dict of length 100)"),
        ([[0] * 100] * 100, "[[0, 0, 0, ...], [0, 0, 0, ...], [0, 0, 0, ...], ...] (list of length 100)"),
    ],
    ids=["list", "str", "dict", "nested"],
)
def test_what_is_long_is_shortened(value, phrase):
    assert describe(value) == phrase


def test_what_has_a_long_repr_of_its_own_is_shortened():
    class Long:
        def __repr__(self):
            return "Long(" + 1000 * "a" + ")"

    assert len(describe(Long())) < 100
    assert describe(Long()).startswith("Long(a")


def test_a_large_tensor_is_not_printed():
    assert len(str(argument_error("x", "y", torch.zeros(1000, 1000)))) < 100
