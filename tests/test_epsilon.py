"""Epsilon policies: where they start, when they grow, and what they refuse."""

import inspect
import math
import re

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp
from structpred import FixedEpsilon, GrowUntilNonzero, RelativeToNoise, RelativeToScores
from structpred.epsilon import as_policy

DRAWS, BATCH, SHAPE = 3, (2, 5), (4,)


def start(policy, scores=None, coefficients=None, noise_std=None):
    scores = torch.randn(*BATCH, *SHAPE) if scores is None else scores
    coefficients = torch.ones_like(scores) if coefficients is None else coefficients
    return policy.start(scores, coefficients, noise_std, len(SHAPE))


def grow(policy, epsilon, moved=(), loss=1.0, first=-1.0):
    """One step of growth, where only the examples in ``moved`` have a gradient."""
    difference = torch.zeros(DRAWS, *epsilon.shape, *SHAPE)
    for example in moved:
        difference[(1, *example, 2)] = -1.0
    return stopped(
        policy.grow(
            epsilon, torch.full_like(epsilon, first), difference, lambda: torch.full((DRAWS, *epsilon.shape), loss)
        ),
        epsilon,
    )


def stopped(grown, epsilon):
    """None where nothing changes: what the kernel makes of it."""
    return None if grown is None or torch.equal(grown, epsilon) else grown


# --- FixedEpsilon


def test_fixed_is_the_same_everywhere_and_never_grows():
    epsilon = start(FixedEpsilon(-2.5))
    assert epsilon.shape == BATCH
    assert epsilon.eq(-2.5).all()
    assert grow(FixedEpsilon(-2.5), epsilon) is None


@pytest.mark.parametrize("name", ["tiny", "max"])
def test_fixed_is_any_normal_number_of_the_scores_dtype(name):
    value = getattr(torch.finfo(torch.float32), name)
    assert start(FixedEpsilon(value)).eq(value).all()


def test_a_single_part_has_no_spread():
    """Without noise the unit is the scores' spread, or 1 where they have none."""
    scores = torch.full((*BATCH, *SHAPE), -torch.inf)
    scores[..., 1] = 3.0
    assert start(RelativeToNoise(-2.0), scores).eq(-2.0).all()


def test_an_example_without_allowed_parts_has_no_size():
    scores = torch.zeros(2, *SHAPE)
    scores[1] = -torch.inf
    assert start(RelativeToNoise(-2.0), scores, noise_std=torch.tensor(1.0)).eq(-4.0).all()  # of (1 + 0) / 2


@pytest.mark.parametrize("policy", [FixedEpsilon(-2), GrowUntilNonzero(-2), RelativeToScores(-2), RelativeToNoise(-2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 0), (2, 3)])
def test_the_start_is_one_number_an_example_in_the_dtype_of_the_scores(policy, batch, dtype):
    epsilon = start(policy, torch.randn(*batch, *SHAPE, dtype=dtype))
    assert epsilon.shape == batch
    assert epsilon.dtype == dtype
    assert epsilon.lt(0).all()


# --- GrowUntilNonzero

GROW = GrowUntilNonzero(-1.0, factor=2.0, limit=4)


def test_growth_multiplies_by_the_factor_up_to_the_limit_and_then_stops():
    epsilon = start(GROW)
    tried = [epsilon[0, 0].item()]
    while (epsilon := grow(GROW, epsilon)) is not None:
        assert epsilon.shape == BATCH
        tried.append(epsilon[0, 0].item())
    assert tried == [-1.0, -2.0, -4.0]


def test_a_factor_that_passes_the_limit_stops_at_the_limit():
    policy = GrowUntilNonzero(1.0, factor=3.0, limit=4.0)
    assert grow(policy, torch.tensor([3.0]), first=1.0).tolist() == [4.0]
    assert grow(policy, torch.tensor([4.0]), first=1.0) is None


def test_one_example_with_a_gradient_is_enough():
    assert grow(GROW, start(GROW), moved=[(1, 3)]) is None


def test_nothing_grows_once_the_loss_is_zero():
    assert grow(GROW, start(GROW), loss=0.0) is None


def test_it_is_the_mean_loss_that_counts():
    loss = torch.zeros(DRAWS, *BATCH)
    loss[2, 0, 1] = 1e-3
    assert GROW.grow(start(GROW), start(GROW), torch.zeros(DRAWS, *BATCH, *SHAPE), lambda: loss).eq(-2).all()


def test_only_stuck_groups_grow():
    policy = attrs.evolve(GROW, group_dims=1)
    assert grow(policy, start(policy), moved=[(0, 4)]).tolist() == [[-1.0] * 5, [-2.0] * 5]
    assert grow(policy, start(policy), moved=[(0, 4), (1, 0)]) is None


def test_a_group_is_stuck_by_its_own_loss():
    policy = attrs.evolve(GROW, group_dims=1)
    loss = torch.ones(DRAWS, *BATCH)
    loss[:, 1] = 0
    grown = policy.grow(start(policy), start(policy), torch.zeros(DRAWS, *BATCH, *SHAPE), lambda: loss)
    assert grown.tolist() == [[-2.0] * 5, [-1.0] * 5]


def test_each_example_may_be_a_group():
    policy = attrs.evolve(GROW, group_dims=2)
    grown = grow(policy, start(policy), moved=[(0, 4), (1, 0)])
    assert (grown == -1).nonzero().tolist() == [[0, 4], [1, 0]]
    assert grown.sum() == -18


def test_without_batch_dimensions_there_is_one_epsilon():
    assert grow(GROW, torch.tensor(-1.0)) == -2
    assert grow(GROW, torch.tensor(-1.0), moved=[()]) is None


@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 2)])
@pytest.mark.parametrize("group_dims", [0, 1])
def test_a_batch_without_examples_does_not_grow(batch, group_dims):
    assert grow(attrs.evolve(GROW, group_dims=group_dims), torch.ones(batch)) is None


def test_more_group_dims_than_batch_dimensions_are_refused():
    message = "scores: expected at least group_dims = 2 batch dimensions, got a batch of 1 dimensions"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        grow(attrs.evolve(GROW, group_dims=2), torch.full((5,), -1.0))


@given(
    initial=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    factor=st.floats(1.05, 20.0),
    times=st.floats(1.0, 50.0),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_growth_ends_at_the_limit_after_the_stated_number_of_steps(initial, factor, times, dtype):
    policy = GrowUntilNonzero(initial, factor=factor, limit=times)
    epsilon, steps = start(policy, torch.zeros(2, *SHAPE, dtype=dtype)), 0
    limit = epsilon * times
    most = math.ceil(math.log(times) / math.log(factor)) + 1  # one for rounding
    while (grown := grow(policy, epsilon, first=initial)) is not None:
        assert (grown.abs() > epsilon.abs()).all()
        epsilon, steps = grown, steps + 1
        assert steps <= most
    torch.testing.assert_close(epsilon, limit)


def test_a_factor_too_close_to_one_for_the_dtype_stops_instead_of_looping():
    assert grow(GrowUntilNonzero(-1.0, factor=1 + 1e-12), torch.full((2,), -1.0)) is None


def test_growing_leaves_the_epsilon_tried_unchanged():
    epsilon = start(GROW)
    grow(GROW, epsilon)
    assert epsilon.eq(-1).all()


def test_the_limit_is_ten_times_the_start_unless_given():
    assert GrowUntilNonzero(-12.0).limit == 10
    assert GrowUntilNonzero(-12.0).factor == 1.1
    assert GrowUntilNonzero(-12.0).group_dims == 0


def test_a_limit_equal_to_the_start_is_a_fixed_epsilon():
    policy = GrowUntilNonzero(-1.0, limit=1)
    assert grow(policy, start(policy)) is None


# --- RelativeToScores


@pytest.fixture
def scores_and_coefficients():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*BATCH, *SHAPE, dtype=torch.float64, generator=generator) for _ in range(2)]


def test_relative_is_the_ratio_of_the_spreads(scores_and_coefficients):
    scores, coefficients = scores_and_coefficients
    expected = -0.5 * scores.numpy().std(-1) / coefficients.numpy().std(-1)
    np.testing.assert_allclose(start(RelativeToScores(-0.5), scores, coefficients), expected, rtol=1e-12)


def test_relative_takes_all_the_dimensions_of_a_structure(scores_and_coefficients):
    scores, coefficients = scores_and_coefficients
    epsilon = RelativeToScores(1.0).start(scores, coefficients, None, 2)
    np.testing.assert_allclose(epsilon, scores.numpy().std((1, 2)) / coefficients.numpy().std((1, 2)), rtol=1e-12)
    assert RelativeToScores(1.0).start(scores, coefficients, None, 3).shape == ()


@given(scores_by=st.floats(0.1, 1e6), coefficients_by=st.floats(1e-6, 1e6), shift=st.floats(-10, 10))
def test_relative_moves_the_scores_by_the_same_share_in_any_unit(scores_by, coefficients_by, shift):
    generator = torch.Generator().manual_seed(1)
    scores, coefficients = (torch.randn(*BATCH, *SHAPE, dtype=torch.float64, generator=generator) for _ in range(2))
    policy = RelativeToScores(-0.7)
    epsilon = start(policy, scores_by * (scores + shift), coefficients_by * (coefficients + shift))
    expected = start(policy, scores, coefficients) * scores_by / coefficients_by
    torch.testing.assert_close(epsilon, expected, rtol=1e-6, atol=0)


def test_equal_scores_count_as_the_floor():
    coefficients = torch.tensor([3.0, -3.0, 3.0, -3.0]).expand(*BATCH, 4)
    epsilon = start(RelativeToScores(-2.0, floor=0.3), torch.full((*BATCH, 4), 5.0), coefficients)
    torch.testing.assert_close(epsilon, torch.full(BATCH, -2.0 * 0.3 / 3.0))


@pytest.mark.parametrize("policy", [RelativeToScores(-1.0), RelativeToNoise()], ids=repr)
@pytest.mark.parametrize("noise_std", [None, torch.tensor(0.7)])
def test_padding_changes_no_epsilon(policy, noise_std):
    scores, coefficients = torch.tensor([1.0, 4.0, 3.0]), torch.tensor([0.5, -1.0, 2.0])
    padded = torch.cat([scores, torch.full((2,), -torch.inf)])
    of_padded = torch.cat([coefficients, torch.tensor([-50.0, 70.0])])
    torch.testing.assert_close(
        start(policy, padded, of_padded, noise_std), start(policy, scores, coefficients, noise_std)
    )


def test_where_everything_is_forbidden_there_is_a_number_nonetheless():
    nothing = torch.full((4,), -torch.inf)
    assert start(RelativeToScores(1.0, floor=0.5), nothing, torch.arange(4.0)) == 0.5
    assert start(RelativeToNoise(), nothing, torch.arange(4.0)).isfinite()


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 0.3, -1.7, 1e-8, 1e8])
@pytest.mark.parametrize("parts", [3, 4, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_coefficients_count_as_one(value, parts, dtype):
    scores = torch.arange(float(parts), dtype=dtype)
    epsilon = start(RelativeToScores(-1.0), scores, torch.full((parts,), value, dtype=dtype))
    torch.testing.assert_close(epsilon, -scores.std(correction=0))


# --- RelativeToNoise


def test_the_default_step_is_256_deviations_of_the_noise_over_the_range_of_the_loss(scores_and_coefficients):
    scores, coefficients = scores_and_coefficients
    width = (coefficients.amax(-1) - coefficients.amin(-1)).mean()
    std = torch.rand(BATCH, dtype=torch.float64)
    torch.testing.assert_close(start(RelativeToNoise(), scores, coefficients, std), -256 * std / width)
    assert RelativeToNoise().margin == 0.05


def test_where_all_coefficients_are_constant_their_mean_size_is_the_unit():
    coefficients = torch.tensor([[2.0, 2.0], [-4.0, -4.0], [3.0, 3.0]])
    step = start(RelativeToNoise(-6.0), torch.zeros(3, 2), coefficients, torch.ones(3))
    torch.testing.assert_close(step, torch.full((3,), -6.0 / 3))


def test_each_group_has_a_range_of_its_own(scores_and_coefficients):
    scores, coefficients = scores_and_coefficients
    width = (coefficients.amax(-1) - coefficients.amin(-1)).mean(-1, keepdim=True).expand(BATCH)
    policy = RelativeToNoise(2.0, group_dims=1)
    torch.testing.assert_close(start(policy, scores, coefficients, torch.tensor(3.0).double()), 6 / width)


def test_without_noise_the_unit_is_the_spread_of_the_scores():
    scores = torch.tensor([[1.0, 3.0], [5.0, 5.0]])
    epsilon = start(RelativeToNoise(-1.0), scores, torch.tensor([[0.0, 4.0]]).expand(2, 2))
    assert epsilon.tolist() == [-1 / 4, -1 / 4]  # the spread of equal scores counts as 1


@pytest.mark.parametrize("value", [3.0, -0.1, 1e-8, 1e8])
def test_constant_coefficients_count_only_where_all_are_constant(value):
    std, constant = torch.tensor(1.0), torch.full((7,), value)
    varied = torch.tensor([0.0, 2.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    both = start(RelativeToNoise(-1.0), torch.zeros(2, 7), torch.stack([constant, varied]), std)
    assert both.tolist() == [-0.5, -0.5]
    torch.testing.assert_close(start(RelativeToNoise(-1.0), torch.zeros(7), constant, std), -1 / constant.abs()[0])


def test_no_loss_at_all_has_a_step_nonetheless():
    assert start(RelativeToNoise(-1.0), torch.zeros(4), torch.zeros(4), torch.tensor(2.0)) == -2


# --- what stands for a policy


def test_a_number_stands_for_fixed_and_a_policy_for_itself():
    assert as_policy(-12.0) == FixedEpsilon(-12.0)
    assert as_policy(3) == FixedEpsilon(3.0)
    assert as_policy(np.float32(0.5)) == FixedEpsilon(0.5)
    assert as_policy(GROW) is GROW


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), True, None, "-12", [1.0], torch.tensor(-12.0), FixedEpsilon]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(sp.ArgumentError, match=r"^epsilon: expected a finite number, got"):
        as_policy(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: as_policy(0),
            "epsilon: expected a finite number other than 0, got 0 (int); negative moves towards better structures",
        ),
        (
            lambda: FixedEpsilon(0.0),
            "value: expected a finite number other than 0, got 0.0 (float); negative moves towards better structures",
        ),
        (lambda: FixedEpsilon(float("nan")), "value: expected a finite number, got nan (float)"),
        (lambda: GrowUntilNonzero(0), "initial: expected a finite number other than 0, got 0 (int)"),
        (lambda: GrowUntilNonzero("a"), "initial: expected a finite number, got 'a' (str)"),
        (lambda: GrowUntilNonzero(None), "initial: expected a finite number, got None (NoneType)"),
        (lambda: GrowUntilNonzero(-1.0, factor=1), "factor: expected a number above 1, got 1 (int)"),
        (lambda: GrowUntilNonzero(-1.0, factor=float("inf")), "factor: expected a finite number, got inf (float)"),
        (lambda: GrowUntilNonzero(-2.0, limit=0.5), "limit: expected a number of at least 1, got 0.5 (float)"),
        (lambda: GrowUntilNonzero(-2.0, limit=-10), "limit: expected a number of at least 1, got -10 (int)"),
        (lambda: GrowUntilNonzero(-2.0, limit=float("-inf")), "limit: expected a finite number, got -inf (float)"),
        (lambda: GrowUntilNonzero(-2.0, group_dims=-1), "group_dims: expected an integer of at least 0, got -1"),
        (lambda: GrowUntilNonzero(-2.0, group_dims=1.0), "group_dims: expected an integer of at least 0, got 1.0"),
        (
            lambda: GrowUntilNonzero(-2.0, group_dims=True),
            "group_dims: expected an integer of at least 0, got True",
        ),
        (lambda: RelativeToNoise(group_dims=-1), "group_dims: expected an integer of at least 0, got -1"),
        (lambda: RelativeToScores(0.0), "ratio: expected a finite number other than 0, got 0.0 (float)"),
        (lambda: RelativeToNoise(0.0), "ratio: expected a finite number other than 0, got 0.0 (float)"),
        (lambda: RelativeToNoise(margin=-1.0), "margin: expected a number of at least 0, got -1.0 (float)"),
        (lambda: RelativeToScores(1.0, margin=-1.0), "margin: expected a number of at least 0, got -1.0 (float)"),
        (lambda: RelativeToScores(1.0, floor=0.0), "floor: expected a positive number, got 0.0 (float)"),
        (lambda: RelativeToScores(1.0, floor=-1.0), "floor: expected a positive number, got -1.0 (float)"),
    ],
)
def test_what_is_wrong_is_named(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_a_policy_is_a_frozen_value():
    assert GrowUntilNonzero(-1.0, factor=2.0, limit=4) == GROW
    assert hash(GrowUntilNonzero(-1.0, factor=2.0, limit=4)) == hash(GROW)
    start = "FixedEpsilon(value=-1.0, margin=0.0)"
    assert repr(GROW) == f"GrowUntilNonzero(initial={start}, factor=2.0, limit=4, group_dims=0)"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        GROW.initial = -3.0


def test_a_policy_of_ones_own_needs_only_a_start():
    class Shrinking(sp.Epsilon):
        def start(self, scores, direction, noise_std, event_dims):
            return scores.new_full(scores.shape[: scores.ndim - event_dims], -1.0)

    assert (
        as_policy(Shrinking()).grow(torch.ones(2), torch.ones(2), torch.zeros(1, 2, 3), lambda: torch.ones(1, 2))
        is None
    )
    with pytest.raises(TypeError, match="abstract"):
        sp.Epsilon()


@pytest.mark.parametrize("policy", [sp.FixedEpsilon, sp.RelativeToNoise, sp.RelativeToScores])
def test_only_the_size_of_a_step_needs_no_name(policy):
    assert policy(-2.0) == attrs.evolve(policy(-1.0), **{attrs.fields(policy)[0].name: -2.0})
    with pytest.raises(TypeError, match="positional"):
        policy(-2.0, 0.5)


def test_equal_coefficients_beside_a_forbidden_part_are_constant_whatever_they_round_to():
    scores = torch.tensor([1.0, 3.0, 2.0, -torch.inf], dtype=torch.float64)
    policy = RelativeToScores(-1.0)
    expected = policy.start(scores, torch.ones_like(scores), None, 1)
    for constant in (0.1, 0.7, 1.1e5, 1e-7 / 3):
        assert policy.start(scores, torch.full_like(scores, constant), None, 1) == expected


@pytest.mark.parametrize("policy", [FixedEpsilon, GrowUntilNonzero, RelativeToScores, RelativeToNoise])
def test_only_the_first_setting_goes_without_its_name(policy):
    first, *others = inspect.signature(policy).parameters.values()
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {it.kind for it in others} == {inspect.Parameter.KEYWORD_ONLY}
