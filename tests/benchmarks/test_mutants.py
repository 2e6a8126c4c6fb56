"""The mutation run: what is changed, who judges, and what the results say."""

from __future__ import annotations

import ast
import io
import subprocess
import sys

import attrs
import pytest
from rich.console import Console

from benchmarks.mutants.commands import Command, Run, _mutants
from benchmarks.mutants.judges import Reach, judges_of
from benchmarks.mutants.mutations import ROOT, Mutant, mutants_of, mutated
from benchmarks.mutants.report import Explained, Outcome, Result, print_report
from tasks.common.cli import parse

SOURCE = '''"""A docstring."""
class A:
    def f(self, x: int | None = 1, *, flag=True) -> "int | None":
        """Another."""
        if x and not flag:
            self.total = "text"
            x += 2
        return g(x.detach(), dim=0) <= any(y for y in self.z if y)
'''


@pytest.fixture
def file(tmp_path):
    (tmp_path / "source.py").write_text(SOURCE)
    return str(tmp_path / "source.py")


def test_each_change_is_made_once_and_strings_and_annotations_are_left_alone(file):
    some = "any((y for y in self.z if y))"
    assert [(mutant.was, mutant.becomes) for mutant in mutants_of(file)] == [
        ("True", "False"),
        ("1", "2"),
        ("x and (not flag)", "x or not flag"),
        ("not flag", "flag"),
        ("self.total = 'text'", "pass"),
        ("x += 2", "x -= 2"),
        ("x += 2", "pass"),
        ("2", "3"),
        (f"g(x.detach(), dim=0) <= {some}", f"g(x.detach(), dim=0) < {some}"),
        ("g(x.detach(), dim=0)", "g(x.detach())"),
        ("x.detach()", "x"),
        ("0", "1"),
        ("any", "all"),
        ("for y in self.z if y", "for y in self.z"),
    ]


def test_a_number_too_large_for_one_more_is_left_alone(tmp_path):
    (tmp_path / "source.py").write_text("LARGEST = 1e300\nSMALLEST = 1e-3\n")
    assert [mutant.becomes for mutant in mutants_of(str(tmp_path / "source.py"))] == ["1.001"]


def test_a_change_is_in_the_tree_and_nowhere_else(file):
    unchanged = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants_of(file):
        tree = mutated(mutant)
        compile(tree, file, "exec")
        lines = ast.unparse(tree).splitlines()
        assert sum(one != other for one, other in zip(unchanged, lines, strict=True)) == 1


def test_every_change_of_the_library_compiles_and_has_a_name_of_its_own():
    names = ("noise", "gradient", "layers/base", "spaces/matching")
    mutants = [mutant for name in names for mutant in mutants_of(f"structpred/{name}.py")]
    assert len(set(mutants)) == len(mutants) > 200
    for mutant in mutants:
        compile(mutated(mutant), mutant.file, "exec")


def test_a_mutant_of_a_file_that_was_changed_since_is_refused(file):
    with pytest.raises(ValueError, match=r"expected a change that can be made, got .*source.py f: 'a' becomes 'b'"):
        mutated(Mutant(file, "f", "a", "b", 0))


def test_a_larger_sample_has_the_smaller_one_in_it():
    assert _mutants("", 50, 1)[:20] == _mutants("", 20, 1)
    assert _mutants("", 20, 2) != _mutants("", 20, 1)
    assert not [mutant for mutant in _mutants("", None, 0) if "testing" in mutant.file]


def test_judges_run_what_was_changed_and_the_fastest_come_first():
    slow, fast = Reach("slow", 3.0, ["a.py::A.f", "a.py::A.g"]), Reach("fast", 1.0, ["a.py::A.f"])
    other, mirror = Reach("other", 0.1, ["b.py::f"]), Reach("tests/test_a.py::test", 2.0, [])
    of_f, of_class = Mutant("a.py", "A.f", "1", "2", 0), Mutant("a.py", "A", "1", "2", 0)
    assert judges_of(of_f, [slow, fast, other], seconds=10) == [fast, slow]
    assert judges_of(of_f, [slow, fast, other], seconds=2) == [fast]
    assert judges_of(of_class, [slow, fast, other], seconds=10) == [fast, slow]
    assert judges_of(of_class, [slow, fast, other, mirror], seconds=10) == [fast, mirror, slow]
    assert judges_of(of_f, [slow, fast, other, mirror], seconds=10) == [fast, slow]
    assert judges_of(attrs.evolve(of_f, scope="A.g"), [slow, fast, other], seconds=10) == [slow]
    assert judges_of(attrs.evolve(of_f, file="c.py"), [slow, fast, other], seconds=10) == [other, fast, slow]
    signatures = Reach("tests/test_signatures.py::test", 0.5, [])
    assert judges_of(of_f, [slow, fast, signatures], seconds=10) == [signatures, fast, slow]


CODE = """
import scipy.stats, torch  # before the forks, as the run does
from benchmarks.mutants.judges import Reach, judge
from benchmarks.mutants.mutations import mutants_of
judges = [Reach(f"tests/test_noise.py::test_density_and_distribution_function_are_those_of_the_distribution[{noise}()]",
          1.0, []) for noise in ("Normal", "Logistic")]
print(judge(None, judges).exit_code)
(mutant,) = [it for it in mutants_of("structpred/noise.py") if it.scope == "Logistic.cdf"][:1]
verdict = judge(mutant, judges)
print(verdict.exit_code, verdict.test)
"""


@pytest.mark.slow
def test_a_fork_sees_the_change_and_says_who_found_it():
    run = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    found = "tests/test_noise.py::test_density_and_distribution_function_are_those_of_the_distribution[Logistic()]"
    assert run.stdout.splitlines() == ["0", f"1 {found}"]


def test_a_report_lists_what_survived_without_a_reason():
    mutants = [Mutant("structpred/spaces/a.py", "f", "1", "2", number) for number in range(4)]
    outcomes = (Outcome.KILLED, Outcome.TIMED_OUT, Outcome.SURVIVED, Outcome.SURVIVED)
    results = [Result(it, outcome, "", 7, 1.0, "abc") for it, outcome in zip(mutants, outcomes, strict=True)]
    out = io.StringIO()
    print_report(results, [Explained(mutants[2], "the same")], Console(file=out, width=120))
    said = out.getvalue()
    assert said.startswith("structpred/spaces/a.py f: '1' becomes '2' (3): 7 judges\n")
    assert "(2)" not in said
    assert said.split("spaces ")[-1].split("all")[0].split() == [*"41121", "66.7%", "20.8%", "to", "93.9%"]


def test_the_command_line():
    command = parse(Command, "benchmarks.mutants", ["run", "--sample", "300", "--seed", "1", "--again"])
    assert command == Run(sample=300, seed=1, again=True)
