"""The laws of every shipped space, against brute force over ``enumerate()``, from one table of small instances.

Values are compared, never structures: where two are equally good, either may be returned.
"""

import inspect
import itertools
import pickle
import re

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint

import structpred as sp

# Each with the number of its structures, counted by hand.
COUNTS = {
    sp.OneHot(1): 1,
    sp.OneHot(4): 4,
    sp.KSubset(1, 1): 1,
    sp.KSubset(5, 1): 5,
    sp.KSubset(5, 2): 10,
    sp.KSubset(4, 4): 1,
    sp.Matching(1): 1,
    sp.Matching(3): 6,
    sp.Matching(2, 4): 12,
    sp.Matching(4, 2): 12,
    sp.Matching(1, 4): 4,
    sp.Matching(4, 1): 4,
    sp.LinearSpace(4, LinearConstraint([1, 1, 1, 1], 2, 2)): 6,
    sp.LinearSpace((2, 2), LinearConstraint([[1, 1, 0, 0], [0, 0, 1, 1]], 1, 1), solver=sp.LinearSolver.HIGHS): 4,
    sp.LinearSpace(4, LinearConstraint([[1, 1, 1, 1], [3, 4, 5, 6]], 2, [2, 9]), solver=sp.LinearSolver.CP_SAT): 4,
}
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
# Powers of two, so that the sums of a few small whole numbers of them are exact.
MAGNITUDES = {
    torch.float16: [2.0**-12, 1.0, 2.0**12],
    torch.bfloat16: [2.0**-100, 1.0, 2.0**100],
    torch.float32: [2.0**-100, 1.0, 2.0**100],
    torch.float64: [2.0**-900, 1.0, 2.0**900],
}

every_space = pytest.mark.parametrize("space", COUNTS, ids=repr)
every_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


def brute_values(space, scores):
    """The value of every structure for every example, in float64: ``(n, *shape) -> (n, count)``."""
    y = space.enumerate().bool()
    parts = scores.double()[:, None].where(y, 0)  # (n, count, *shape)
    return parts.flatten(2).sum(-1)


def values(space, scores, y):
    return scores.double().where(y.bool(), 0).flatten(1).sum(-1)


def draw_scores(data, space, elements, dtype=torch.float64, batch=3):
    count = batch * torch.Size(space.shape).numel()
    entries = data.draw(st.lists(elements, min_size=count, max_size=count))
    return torch.tensor(entries, dtype=dtype).reshape(batch, *space.shape)


def random_scores(space, *batch, dtype=torch.float64, seed=0):
    """Scores without ties, so that the best structure is unique."""
    return torch.randn(*batch, *space.shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _restore_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_public_concrete_space_has_a_row():
    public = {value for value in vars(sp).values() if inspect.isclass(value) and issubclass(value, sp.StructuredSpace)}
    assert {space for space in public if not inspect.isabstract(space)} == {type(space) for space in COUNTS}


# --- the best value


@every_space
@given(data=st.data(), dtype=st.sampled_from(FLOATS))
def test_no_structure_scores_higher_ties_or_not(space, data, dtype):
    scores = draw_scores(data, space, st.integers(-2, 2), dtype) * data.draw(st.sampled_from(MAGNITUDES[dtype]))
    y = space.argmax(scores)
    assert space.contains(y).all()
    assert torch.equal(values(space, scores, y), brute_values(space, scores).amax(-1))


@every_space
@given(data=st.data())
def test_no_structure_scores_higher_for_any_floats(space, data):
    scores = draw_scores(data, space, st.floats(-(2.0**100), 2.0**100, width=32))
    y = space.argmax(scores)
    assert space.contains(y).all()
    rounding = 1e-14 * float(scores.abs().max())
    best = brute_values(space, scores).amax(-1)
    torch.testing.assert_close(values(space, scores, y), best, rtol=0, atol=rounding)


@every_space
@given(data=st.data())
def test_minus_inf_forbids_and_the_infeasible_examples_are_named(space, data):
    scores = draw_scores(data, space, st.integers(-2, 2) | st.just(-torch.inf), torch.float32, batch=4)
    best = brute_values(space, scores).amax(-1)
    hopeless = best.isneginf().nonzero().flatten().tolist()
    if hopeless:
        named = f"example{'s' * (len(hopeless) > 1)} {', '.join(map(str, hopeless))};"
        with pytest.raises(sp.InfeasibleError, match=f"forbidden by -inf in {named}"):
            space.argmax(scores)
    scores[hopeless] = 0
    y = space.argmax(scores)
    assert space.contains(y).all()
    assert torch.equal(values(space, scores, y), brute_values(space, scores).amax(-1))


@every_space
def test_allowing_one_structure_alone_gives_that_structure(space):
    structures = space.enumerate()
    scores = torch.where(structures.bool(), -5.0, -torch.inf)
    assert torch.equal(space.argmax(scores), structures)


@every_space
@every_float
def test_dtype_and_device_there_and_back_without_gradient_or_mutation(space, dtype):
    scores = random_scores(space, 5, dtype=dtype).requires_grad_()
    before = scores.detach().clone()
    y = space.argmax(scores)
    assert y.dtype == dtype
    assert y.device == scores.device
    assert y.shape == scores.shape
    assert not y.requires_grad
    assert ((y == 0) | (y == 1)).all()
    assert torch.equal(scores.detach(), before)
    assert scores.requires_grad


@every_space
@every_float
def test_writing_into_the_answer_leaves_the_scores_alone(space, dtype):
    scores = random_scores(space, 5, dtype=dtype)
    before = scores.clone()
    space.argmax(scores).fill_(7)
    assert torch.equal(scores, before)


# --- batches


@every_space
def test_the_batch_equals_the_loop(space):
    scores = random_scores(space, 11)
    assert torch.equal(space.argmax(scores), torch.stack([space.argmax(example) for example in scores]))


@every_space
def test_several_batch_dimensions_equal_one(space):
    scores = random_scores(space, 2, 3, 2)
    assert torch.equal(space.argmax(scores).flatten(0, 2), space.argmax(scores.flatten(0, 2)))


@every_space
def test_without_batch_dimensions(space):
    scores = random_scores(space)
    y = space.argmax(scores)
    assert y.shape == space.shape
    assert space.contains(y).shape == ()
    assert space.contains(y)


@every_space
@every_float
@pytest.mark.parametrize("batch", [(0,), (3, 0), (0, 3), (2, 0, 3)])
def test_an_empty_batch_is_an_empty_answer(space, batch, dtype):
    scores = torch.zeros(*batch, *space.shape, dtype=dtype, requires_grad=True)
    y = space.argmax(scores)
    assert y.shape == scores.shape
    assert y.dtype == dtype
    assert not y.requires_grad
    assert space.contains(y).shape == batch
    assert space.score(scores, y).shape == batch
    assert space.hamming(y)(y).shape == batch


@every_space
@every_float
def test_strided_input_equals_contiguous_input(space, dtype):
    scores = random_scores(space, 6, dtype=dtype)
    expected = space.argmax(scores)
    reversed_dims = range(scores.ndim)[::-1]
    transposed = scores.permute(*reversed_dims).contiguous().permute(*reversed_dims)
    assert torch.equal(space.argmax(transposed), expected)
    padded = torch.stack([scores, torch.full_like(scores, torch.nan)], -1)[..., 0]
    assert torch.equal(space.argmax(padded), expected)
    assert torch.equal(space.argmax(scores[:1].expand_as(scores)), expected[:1].expand_as(scores))
    assert torch.equal(space.argmax(scores.flip(0)[::2]), expected.flip(0)[::2])


@every_space
def test_any_number_of_threads_gives_the_same_answer(space):
    scores = random_scores(space, 23)
    ties = scores.round()
    answers, best = [], []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        answers.append(space.argmax(scores))
        best.append(values(space, ties, space.argmax(ties)))
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])
    assert torch.equal(best[0], best[1])
    assert torch.equal(best[0], best[2])


@every_space
def test_what_was_solved_before_does_not_matter(space):
    scores = random_scores(space, 7)
    first = space.argmax(scores)
    space.argmax(random_scores(space, 9, seed=1))
    assert torch.equal(space.argmax(scores), first)


# --- refusals


@every_space
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.nan, "got NaN in 1 of {n} entries; look for a division by zero or a diverging step before this call"),
        (torch.inf, "got +inf in 1 of {n} entries; only -inf has a meaning: it forbids a part"),
    ],
)
def test_nan_and_plus_inf_are_refused_before_any_solver_runs(space, bad, message):
    scores = random_scores(space, 3)
    scores.view(-1)[-1] = bad
    expected = "scores: expected finite numbers or -inf, " + message.format(n=scores.numel())
    with pytest.raises(sp.ArgumentError, match=re.escape(expected)):
        space.argmax(scores)


@every_space
def test_nan_is_seen_beside_infinities(space):
    scores = torch.full((3, *space.shape), -torch.inf)
    scores.view(-1)[-1] = torch.nan
    scores.view(-1)[0] = torch.inf
    with pytest.raises(sp.ArgumentError, match="scores: expected finite numbers or -inf, got NaN in 1 of"):
        space.argmax(scores)


@every_space
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
def test_scores_that_are_not_floating_point_are_refused(space, dtype):
    with pytest.raises(
        sp.ArgumentError, match=r"^scores: expected a floating point tensor, got .*; write scores.float"
    ):
        space.argmax(torch.ones(2, *space.shape, dtype=dtype))


@every_space
def test_scores_of_another_shape_are_refused(space):
    sizes = ", ".join(map(str, space.shape))
    for wrong in [(*space.shape[:-1], space.shape[-1] + 1), space.shape[1:], (*space.shape, 7)]:
        message = (
            f"scores: expected a tensor of shape (*batch, {sizes}) for {space!r}, "
            f"got a float32 tensor of shape {tuple(wrong)}"
        )
        with pytest.raises(sp.ArgumentError, match=re.escape(message)):
            space.argmax(torch.zeros(wrong))


@every_space
def test_what_is_no_tensor_is_refused(space):
    scores = torch.zeros(space.shape)
    for call, name in [
        (space.argmax, "scores"),
        (space.contains, "y"),
        (space.hamming, "target"),
        (lambda bad: space.score(bad, scores), "scores"),
        (lambda bad: space.score(scores, bad), "y"),
    ]:
        message = rf"^{name}: expected a torch tensor, got .* \(list\); write torch.as_tensor\({name}\)"
        with pytest.raises(sp.ArgumentError, match=message):
            call(scores.tolist())


# --- the list of structures, and membership


@every_space
def test_enumerate_lists_every_structure_once(space):
    structures = space.enumerate()
    assert structures.shape == (COUNTS[space], *space.shape)
    assert structures.is_floating_point()
    assert structures.is_contiguous()
    assert len(structures.unique(dim=0)) == COUNTS[space]
    assert space.contains(structures).all()


@every_space
def test_the_members_are_the_structures_listed_among_all_binary_tensors(space):
    parts = torch.Size(space.shape).numel()
    assert parts <= 10
    everything = torch.tensor(list(itertools.product([0.0, 1.0], repeat=parts))).reshape(-1, *space.shape)
    inside = everything[space.contains(everything)]
    assert torch.equal(inside.unique(dim=0), space.enumerate().unique(dim=0))


@every_space
@pytest.mark.parametrize("dtype", [*FLOATS, torch.bool, torch.uint8, torch.int64], ids=str)
def test_members_of_any_dtype(space, dtype):
    structures = space.enumerate().to(dtype)
    assert space.contains(structures).all()
    assert space.contains(structures).dtype == torch.bool
    assert not space.contains(torch.zeros_like(structures)).any()


@every_space
@pytest.mark.parametrize("bad", [0.5, 2.0, -1.0, torch.nan, torch.inf])
def test_a_member_is_zeros_and_ones_whatever_its_sums(space, bad):
    structures = space.enumerate()
    for part in range(structures[0].numel()):
        spoilt = structures.clone()
        spoilt.flatten(1)[:, part] = bad
        assert not space.contains(spoilt).any()
    assert not space.contains(structures.mean(0)) or len(structures) == 1
    assert not space.contains(2 * structures[0] - structures[-1]) or len(structures) == 1


@every_space
def test_members_are_told_apart_within_any_batch(space):
    y = space.enumerate()[0].expand(2, 3, *space.shape).clone()
    y[1, 0] = 0
    assert space.contains(y).tolist() == [[True] * 3, [False, True, True]]


@every_space
def test_membership_of_another_shape_is_refused(space):
    with pytest.raises(sp.ArgumentError, match=r"^y: expected a tensor of shape \(\*batch, "):
        space.contains(torch.zeros(2, *space.shape[:-1], space.shape[-1] + 1))


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (sp.OneHot(10**8), 10**8),
        (sp.OneHot(10**5), 10**5),
        (sp.KSubset(40, 20), 137846528820),
        (sp.Matching(10), 3628800),
        (sp.Matching(3, 200), 7880400),
    ],
    ids=repr,
)
def test_a_list_that_would_fill_the_memory_is_refused(space, count):
    message = f"enumerate: {space!r} has {count} structures, too many to list"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        space.enumerate()


# --- score and loss


@every_space
@given(data=st.data())
def test_score_is_the_inner_product(space, data):
    structures = space.enumerate()
    scores = draw_scores(data, space, st.integers(-3, 3))
    expected = brute_values(space, scores)  # (3, count)
    assert torch.equal(space.score(scores[:, None], structures), expected)
    assert torch.equal(space.score(scores[0], structures), expected[0])


@every_space
@every_float
def test_score_keeps_the_dtype_of_the_scores(space, dtype):
    scores = random_scores(space, 3, dtype=dtype)
    assert space.score(scores, space.argmax(scores.float())).dtype == dtype


@every_space
def test_forbidden_parts_count_only_where_they_are_used_and_have_no_gradient(space):
    for y in space.enumerate().double():
        scores = torch.where(y.bool(), 2.0, -torch.inf).double().requires_grad_()
        value = space.score(scores, y)
        value.backward()
        assert value == 2 * y.sum()
        assert torch.equal(scores.grad, y)
        assert space.score(torch.full(space.shape, -torch.inf), y) == -torch.inf


@every_space
def test_hamming_is_the_number_of_parts_that_differ(space):
    structures = space.enumerate()
    for target in structures:
        expected = (structures != target).flatten(1).sum(-1)
        assert torch.equal(space.hamming(target)(structures), expected.float())
    assert space.hamming(structures)(structures).eq(0).all()


@every_space
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64], ids=str)
def test_hamming_takes_targets_of_any_dtype_and_batch(space, dtype):
    target = space.enumerate()[:1].expand(2, 3, *space.shape).to(dtype)
    assert space.hamming(target)(space.enumerate()[0].expand_as(target).double()).tolist() == [[0.0] * 3] * 2


@every_space
def test_hamming_refuses_targets_outside_the_space(space):
    target = space.enumerate()[0].expand(4, *space.shape).clone()
    target[2] = 0
    name = type(space).__name__
    message = (
        f"target: expected structures of {space!r}, got others in example 2; "
        f"{name}.contains(target) says which are inside"
    )
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        space.hamming(target)
    with pytest.raises(sp.ArgumentError, match="others in the only example"):
        space.hamming(target[2])


# --- spaces as values


@every_space
def test_a_space_is_a_frozen_value(space):
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert hash(again) == hash(space)
    assert [other for other in COUNTS if other == space] == [space]
    if not isinstance(space, sp.LinearSpace):  # whose matrices are not printed
        assert eval(repr(space), vars(sp)) == space
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(space, attrs.fields(type(space))[0].name, 2)


@every_space
def test_each_part_is_a_variable_of_the_noise(space):
    assert space.noise_shape == space.shape
    noise = random_scores(space, 2)
    assert torch.equal(space.spread(noise), noise)
