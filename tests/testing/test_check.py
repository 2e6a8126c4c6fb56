"""The two checks as a user meets them: reports, failures that can be pasted, expected failures, bad arguments."""

import functools
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import structpred as sp
from structpred.testing import (
    DIRECT_LAWS,
    IDENTITY_LAYER_LAWS,
    SPACE_LAWS,
    LawError,
    Outcome,
    ViolationError,
    check_layer,
    check_objective,
    check_space,
    parametrize_with_checks,
)
from tests.testing.broken.answers import BothWhereTied, GreedyMatching
from tests.testing.broken.direct import Plain, SumForMean
from tests.testing.broken.structures import ListsOneTwice
from tests.testing.broken.validated import NegatesBytes
from tests.testing.pairs import Pairs
from tests.testing.pasted import shows_again

ROOT = Path(__file__).parents[2]


def failure_of(space, law, **settings):
    with pytest.raises(LawError) as caught:
        check_space(space, only=[law], max_seconds=60, **settings)
    return caught.value


@functools.cache
def greedy_failure():
    return failure_of(GreedyMatching(3), "no_structure_scores_higher")


def test_a_failure_names_the_law_and_shows_the_smallest_input_and_the_better_value():
    text = str(failure_of(BothWhereTied(5), "answers_are_structures"))
    assert text.startswith("BothWhereTied(n=5) breaks the law answers_are_structures:\n")
    assert "The answer is a structure of the space, whatever the scores, ties included." in text
    assert "got        torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)\n" in text
    assert "expected   a structure of BothWhereTied(n=5)\n" in text
    assert "scores = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)\n" in text
    text = str(greedy_failure())
    got, better = (float(re.search(rf"{word} +([-.\d]+)\n", text)[1]) for word in ("got", "better"))
    assert got < better


def test_a_failure_carries_what_failed_and_pickles():
    failure = greedy_failure()
    assert isinstance(failure, AssertionError)
    assert isinstance(failure.__cause__, ViolationError)
    again = pickle.loads(pickle.dumps(failure))
    assert str(again) == str(failure)
    assert (again.law, again.subject) == (failure.law, GreedyMatching(3))
    with pytest.raises(ViolationError):
        again.law(again.subject, **again.inputs)


def test_equal_seeds_find_equal_failures():
    one, other = (str(failure_of(BothWhereTied(5), "answers_are_structures", seed=3)) for _ in range(2))
    assert one == other


def test_a_report_has_a_result_for_every_law_and_a_table():
    report = check_space(ListsOneTwice(4), raises=False, max_examples=5)
    assert [result.law for result in report.results] == list(SPACE_LAWS)
    assert not report.passed
    assert report["enumerate_lists_each_structure_once"].outcome is Outcome.FAILED
    broken = ["enumerate_lists_each_structure_once", "noise_makes_the_answer_unique"]
    assert [failure.law.name for failure in report.failures] == broken
    assert report["pickles"].outcome is Outcome.PASSED
    lines = str(report).splitlines()
    assert lines[0] == "ListsOneTwice(n=4)"
    assert lines[1].split() == ["law", "examples", "seconds", "outcome"]
    row = r"enumerate_lists_each_structure_once +1 +\d+\.\d\d  FAILED: a structure is listed 2 times"
    assert re.search(row, str(report))
    assert lines[-1] == f"{len(SPACE_LAWS) - 2} passed, 2 FAILED"
    with pytest.raises(KeyError):
        report["no such law"]


def test_laws_out_of_reach_are_skipped_with_the_reason():
    report = check_space(sp.Matching(10), only=["no_structure_scores_higher"])
    assert report.passed
    assert report.results[0].outcome is Outcome.SKIPPED
    ((law, reason),) = report.skipped.items()
    assert law == "no_structure_scores_higher"
    assert reason.endswith("check a smaller one too")
    assert str(report).endswith(f"\n1 skipped\nnot known to hold: no_structure_scores_higher ({reason})")
    assert "has 3628800 structures, too many to list; check a smaller one too" in str(report)


def test_out_of_time_a_law_has_been_tried_at_least_once():
    report = check_space(sp.OneHot(3), max_examples=3, max_seconds=0.0)
    assert report.passed
    assert {result.examples for result in report.results} == {1}


def test_expected_failures_do_not_raise_and_must_come():
    reason = "the list is only for show"
    expected = {"enumerate_lists_each_structure_once": reason, "noise_makes_the_answer_unique": reason}
    report = check_space(ListsOneTwice(4), expected_failures=expected, max_examples=5, max_seconds=0.1)
    assert report.passed
    assert report.failures == ()
    assert f"failed as expected: {reason}" in str(report)
    with pytest.raises(LawError, match=r"the law pickles holds, but was expected to fail \(no idea\); take it off"):
        check_space(Pairs(4), only=["pickles"], expected_failures={"pickles": "no idea"})
    assert not check_space(Pairs(4), only=["pickles"], expected_failures={"pickles": "no idea"}, raises=False).passed


def test_what_the_space_raises_by_itself_is_a_failure_too():
    class Crashes(Pairs):
        def _argmax(self, scores):
            raise IndexError("out of range")

    with pytest.raises(LawError, match=r"IndexError in _argmax \(test_check.py, line \d+\): out of range") as caught:
        check_space(Crashes(3))
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        ("contains", lambda y: y.sum() == 2, "contains does not say for each example"),
        ("contains", lambda y: y.sum(-1), "contains does not say for each example"),
        ("enumerate", lambda: [1, 2], "Odd.enumerate: expected a tensor of shape (count, 3), got list"),
        ("enumerate", lambda: torch.eye(4), "Odd.enumerate: expected a tensor of shape (count, 3), got a float32"),
        ("_argmax", lambda scores: scores.argmax(-1), "Odd._argmax: expected to return a tensor of its scores' shape"),
    ],
)  # fmt: skip
def test_a_method_that_returns_another_kind_of_thing_is_told(method, answer, message):
    odd = type("Odd", (Pairs,), {method: lambda self, *arguments: answer(*arguments)})
    with pytest.raises(LawError) as caught:
        check_space(odd(3))
    assert message in str(caught.value)
    assert "    space = Odd(n=3)" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"only": ["pickels"]}, "only: expected names of laws, got 'pickels' (str); did you mean 'pickles'?"),
        ({"expected_failures": {"zzz": ""}}, "expected_failures: expected names of laws, got 'zzz' (str)"),
        ({"only": "pickles"}, "only: expected a list of names of laws, got 'pickles' (str); write ['pickles']"),
        (
            {"expected_failures": ["pickles"]},
            "expected_failures: expected reasons by the names of laws, got ['pickles'] (list); write {\"name_of",
        ),
        ({"max_examples": 0}, "max_examples: expected an integer of at least 1, got 0 (int)"),
        ({"max_seconds": -1.0}, "max_seconds: expected a number of at least 0, got -1.0 (float)"),
        ({"tolerance": -1.0}, "tolerance: expected a number of at least 0, got -1.0 (float)"),
        ({"tolerance": float("nan")}, "tolerance: expected a finite number, got nan (float)"),
        ({"seed": 0.5}, "seed: expected an integer, got 0.5 (float)"),
        ({"effort": "much"}, 'effort: expected "default" or "thorough", got \'much\' (str)'),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        check_space(sp.OneHot(2), **settings)


def refused(check, *arguments, message, **settings):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        check(*arguments, **settings)


def test_what_is_no_subject_is_refused():
    refused(check_space, sp.Matching, message="space: expected a StructuredSpace, got <class")
    instead = "; write for example PerturbedDirectLoss(Matching(3))"
    wanted = "objective: expected an objective, which is called and has a space, got"
    refused(check_objective, 1.0, message=f"{wanted} 1.0 (float){instead}")
    refused(check_objective, sp.PerturbedDirectLoss, message=f"{wanted} <class")
    refused(check_objective, torch.nn.Linear(2, 2), message=wanted)
    wanted = "layer: expected a layer, which is called and has a space, got"
    refused(check_layer, sp.OneHot(2), message=wanted)


def test_a_class_of_ones_own_needs_its_laws():
    wanted = "laws: expected the laws for an objective of a class of your own, got None (NoneType)"
    instead = "; write DIRECT_LAWS, POTENTIAL_LAWS, SCORE_FUNCTION_LAWS or OBJECTIVE_LAWS"
    refused(check_objective, Plain(sp.OneHot(2)), message=wanted + instead)
    wanted = "laws: expected the laws for a layer of a class of your own, got None (NoneType)"
    instead = "; write DIFFERENCE_LAYER_LAWS, IDENTITY_LAYER_LAWS, MEAN_LAYER_LAWS or LAYER_LAWS"
    refused(check_layer, Plain(sp.OneHot(2)), message=wanted + instead)
    wanted = "laws: expected a sequence of laws, got <law pickles> (Law); write for example OBJECTIVE_LAWS"
    (pickles,) = (law for law in SPACE_LAWS if law.name == "pickles")
    refused(check_objective, Plain(sp.OneHot(2)), laws=pickles, message=wanted)


def test_bad_settings_of_an_objective_are_refused():
    message = "draws: expected at least 1000, so that means are nearly normal, got 10 (int)"
    refused(check_objective, sp.StructuredHingeLoss(sp.OneHot(2)), draws=10, message=message)
    message = "only: expected names of laws, got 'pickles' (str)"
    refused(check_objective, sp.StructuredHingeLoss(sp.OneHot(2)), only=["pickles"], message=message)


def test_a_check_leaves_the_module_as_it_was():
    layer = sp.ImplicitMLE(sp.OneHot(2), epsilon=sp.AdaptiveEpsilon())
    before = repr(layer), {name: value.clone() for name, value in layer.state_dict().items()}
    check_layer(layer, max_examples=2, max_seconds=0.1)
    assert repr(layer) == before[0]
    assert layer.training
    assert all(torch.equal(value, before[1][name]) for name, value in layer.state_dict().items())


def test_a_failure_of_an_objective_shows_the_call_as_code():
    laws = [law for law in DIRECT_LAWS if law.name == "gradient_for_scores_equals_finite_differences"]
    with pytest.raises(LawError) as caught:
        check_objective(SumForMean(sp.OneHot(2)), laws=laws, max_examples=10)
    text = str(caught.value)
    assert text.startswith("SumForMean(space=OneHot(n=2), noise=Gumbel(), epsilon=-1.0, num_samples=1) ")
    assert "\n    got        " in text
    assert "\n    case = Case(\n        scores=torch.tensor([[" in text
    assert "\n        loss=LinearLoss(torch.tensor(" in text
    assert text.endswith("(subject, case=case)")


def run(code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )


def test_what_is_not_installed_is_named(tmp_path):
    done = run(
        "import sys; sys.modules |= {'pytest': None, 'hypothesis': None}\n"
        "import structpred as sp\n"
        "try: import structpred.testing\n"
        "except sp.MissingExtraError as error: print(error)\n"
        "del sys.modules['hypothesis']\n"
        "from structpred.testing import check_space, parametrize_with_checks\n"
        "print(check_space(sp.OneHot(3), max_examples=1, max_seconds=0.05).passed)\n"
        "try: parametrize_with_checks([sp.OneHot(3)])\n"
        "except sp.MissingExtraError as error: print(error)\n",
        tmp_path,
    )
    needs = "structpred.testing needs Hypothesis; write pip install 'structpred[testing]'"
    also = "parametrize_with_checks needs pytest; write pip install 'structpred[testing]', or use check_space"
    assert done.stdout == f"{needs}\nTrue\n{also}\n", done.stderr


CASES = """
import structpred as sp
from structpred.testing import parametrize_with_checks
from tests.testing.broken.answers import GreedyMatching

@parametrize_with_checks([sp.OneHot(3), sp.Matching(10)], max_examples=2)
def test_right(space, law):
    law(space)

@parametrize_with_checks([GreedyMatching(3)], max_examples=20)
def test_greedy(space, law):
    law(space)

@parametrize_with_checks(
    [GreedyMatching(3)], max_examples=20, expected_failures={"no_structure_scores_higher": "greedy"}
)
def test_expected(space, law):
    law(space)

@parametrize_with_checks([sp.OneHot(3)], expected_failures={"pickles": "no idea"})
def test_unexpected(space, law):
    law(space)
"""


def test_each_law_and_space_is_a_pytest_case(tmp_path):
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")

    def pytest_run(*arguments):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}", "COLUMNS": "300"}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        ).stdout

    by_law = pytest_run("-k", "no_structure_scores_higher or pickles")
    for line in [
        "PASSED test_cases.py::test_right[OneHot(n=3)-no_structure_scores_higher]",
        "PASSED test_cases.py::test_right[Matching(rows=10, cols=10)-pickles]",
        "FAILED test_cases.py::test_greedy[GreedyMatching(rows=3, cols=3)-no_structure_scores_higher] - ",
        "XFAIL test_cases.py::test_expected[GreedyMatching(rows=3, cols=3)-no_structure_scores_higher] - greedy",
        "FAILED test_cases.py::test_unexpected[OneHot(n=3)-pickles] - [XPASS(strict)] no idea",
    ]:
        assert line in by_law
    assert "3628800 structures, too many to list" in by_law
    assert re.search(r"2 failed, \d passed, 1 skipped, \d+ deselected, 1 xfailed", by_law)


def test_only_laws_that_are_named_are_cases():
    @parametrize_with_checks([sp.OneHot(3), sp.Matching(2)], only=["pickles"])
    def decorated(space, law): ...

    (mark,) = decorated.pytestmark
    assert [case.id for case in mark.args[1]] == ["OneHot(n=3)-pickles", "Matching(rows=2, cols=2)-pickles"]
    with pytest.raises(sp.ArgumentError, match="only: expected names of laws, got 'pickels'"):
        parametrize_with_checks([sp.OneHot(3)], only=["pickels"])


class Loss(NegatesBytes):
    """Named like what a circumstance has."""


class Matching(GreedyMatching):
    """Named like a space of the library."""


class OneHot(Pairs):
    """Likewise, and right."""


@pytest.mark.parametrize(
    ("check", "subject", "law"),
    [
        (check_objective, Loss(sp.KSubset(4, 2)), "potential_calls_follow_their_definition"),
        (check_space, Matching(3), "no_structure_scores_higher"),
        (check_objective, NegatesBytes(OneHot(4)), "potential_calls_follow_their_definition"),
    ],
    ids=["objective", "space", "objective over a space"],
)
def test_the_code_of_a_failure_has_the_users_class_where_two_have_its_name(check, subject, law):
    with pytest.raises(LawError) as caught:
        check(subject, only=[law])
    shows_again(str(caught.value), ViolationError)


class Straight(sp.Identity):
    """Right, before the structures or the gradient are spoilt."""

    def forward(self, scores, **given):
        return self.spoilt(super().forward(scores, **given))


class WithNaN(Straight):
    def spoilt(self, y):
        y.register_hook(lambda upstream: upstream * torch.nan)
        return y


class WithoutSamples(Straight):
    def spoilt(self, y):
        return y if self.num_samples is None else y[0]


class OneSampleInEvalMode(Straight):
    def spoilt(self, y):
        return y if self.training else y.expand(2, *y.shape)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (WithNaN(sp.OneHot(3)), "the gradient for the scores has NaN"),
        (WithoutSamples(sp.OneHot(3)), "value has another shape, where num_samples was set to"),
        (OneSampleInEvalMode(sp.OneHot(3), num_samples=2), "in mode EVAL, another shape is returned"),
    ],
    ids=lambda it: type(it).__name__,
)
def test_gradients_and_shapes_that_cannot_be_right_are_told(layer, message):
    with pytest.raises(LawError, match=message):
        check_layer(layer, laws=IDENTITY_LAYER_LAWS, only=["identity_layers_follow_their_definition"])
