"""What is special to chains: variables that are not parts, scores of positions and transitions, padding."""

import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp

INF = torch.inf


def randn(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def sequence_value(unary, transition, labels):
    """The value of one label sequence by its definition; transition: (labels, labels)."""
    value = sum(unary[position, label] for position, label in enumerate(labels))
    return value + sum(transition[i, j] for i, j in itertools.pairwise(labels))


def best_sequence(unary, transition):
    length, labels = unary.shape
    return max(itertools.product(range(labels), repeat=length), key=lambda s: sequence_value(unary, transition, s))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sp.Chain(1, 3), "length: expected at least 2 positions, got 1 (int); for one position write OneHot("),
        (lambda: sp.Chain(0, 3), "length: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.Chain(2.0, 3), "length: expected an integer of at least 1, got 2.0 (float)"),
        (lambda: sp.Chain(2, 0), "labels: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.Chain(2, None), "labels: expected an integer of at least 1, got None (NoneType)"),
    ],
)
def test_sizes_that_make_no_chain_are_refused(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_shape_and_noise_shape():
    space = sp.Chain(5, 3)
    assert space.shape == (4, 3, 3)
    assert space.noise_shape == (5, 3)


# --- variables


def test_noise_lies_on_the_edges_as_defined():
    noise = randn(2, 4, 3)
    edges = sp.Chain(4, 3).spread(noise)
    assert edges.shape == (2, 3, 3, 3)
    for example, t, i, j in itertools.product(range(2), range(3), range(3), range(3)):
        expected = noise[example, t + 1, j] + (noise[example, 0, i] if t == 0 else 0)
        assert edges[example, t, i, j] == expected


@pytest.mark.parametrize("space", [sp.Chain(2, 3), sp.Chain(4, 2), sp.Chain(3, 1)], ids=repr)
def test_each_position_counts_once_in_every_structure(space):
    noise = randn(*space.noise_shape)
    for y in space.enumerate().double():
        labels = space.to_labels(y)
        expected = noise.gather(1, labels[:, None]).sum()
        torch.testing.assert_close(space.score(space.spread(noise), y), expected)


def test_spread_is_linear_and_differentiable():
    space = sp.Chain(4, 3)
    one, other = randn(5, 4, 3).requires_grad_(), randn(5, 4, 3, seed=1)
    torch.testing.assert_close(space.spread(2 * one - other), 2 * space.spread(one) - space.spread(other))
    space.spread(one).sum().backward()
    assert torch.equal(one.grad, torch.full_like(one, 3))  # as many edges as labels contain each


@pytest.mark.parametrize("batch", [(), (0,), (2, 5)])
def test_spread_takes_any_batch(batch):
    assert sp.Chain(4, 3).spread(torch.zeros(*batch, 4, 3)).shape == (*batch, 3, 3, 3)


def test_gradients_reach_a_scale_of_each_variable():
    space = sp.Chain(4, 3)
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=3)
    scores, scale = randn(5, 3, 3, 3).requires_grad_(), torch.ones(5, 4, 3, dtype=torch.float64, requires_grad=True)
    target = space.from_labels(torch.zeros(5, 4, dtype=torch.long))
    solution = objective.solve(scores, space.hamming(target), scale=scale, generator=torch.Generator().manual_seed(0))
    solution.loss.sum().backward()
    assert solution.noise.shape == (3, 5, 4, 3)
    onto_positions = torch.cat(  # the transpose of spread
        [solution.gradient[..., :1, :, :].sum(-1), solution.gradient.sum(-2)], dim=-2
    )
    torch.testing.assert_close(scale.grad, (solution.noise * onto_positions).sum(0))


# --- solving


@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 10**6))
def test_the_best_labels_are_those_of_brute_force(length, labels, seed):
    unary, transition = randn(length, labels, seed=seed), randn(labels, labels, seed=seed + 1)
    space = sp.Chain(length, labels)
    y = space.argmax(space.edge_scores(unary, transition))
    assert tuple(space.to_labels(y).tolist()) == best_sequence(unary, transition)


def test_long_chains_have_the_value_of_the_recursion():
    scores = randn(3, 1999, 4, 4)
    space = sp.Chain(2000, 4)
    y = space.argmax(scores)
    assert space.contains(y).all()
    best = torch.zeros(3, 4, dtype=torch.float64)
    for edges in scores.unbind(1):
        best = (best[:, :, None] + edges).max(1).values
    torch.testing.assert_close(space.score(scores, y), best.max(-1).values)


def test_long_chains_lose_no_precision_in_float32():
    """The sums grow to 10^7, where float32 has a resolution of 1; the oracle is in numpy, in float64."""
    scores = randn(9999, 3, 3, dtype=torch.float32) + 1000
    best, back = np.zeros(3), []
    for edges in scores.double().numpy():
        ways = best[:, None] + edges
        best = ways.max(0)
        back.append(ways.argmax(0))
    labels = [best.argmax()]
    for sources in reversed(back):
        labels.append(sources[labels[-1]])
    space = sp.Chain(10_000, 3)
    assert space.to_labels(space.argmax(scores)).tolist() == labels[::-1]


def test_each_step_may_forbid_transitions():
    space = sp.Chain(3, 2)
    transition = torch.zeros(2, 2, 2)
    transition[0, 0, 0] = transition[1, 1, 1] = -INF
    unary = torch.tensor([[5.0, 0.0], [1.0, 0.0], [0.0, 2.0]])

    def solved():
        return space.to_labels(space.argmax(space.edge_scores(unary, transition))).tolist()

    assert solved() == [0, 1, 0]
    transition[0, 0, 1] = -INF
    assert solved() == [1, 0, 1]
    transition[1, 0] = -INF
    assert solved() == [1, 1, 0]
    transition[0, 1, 1] = -INF
    with pytest.raises(sp.InfeasibleError, match="the only example"):
        solved()


def test_a_label_forbidden_in_scores_and_in_transitions_makes_no_nan():
    unary, transition = torch.zeros(2, 4, 3), torch.zeros(3, 3)
    unary[..., 1] = -INF
    transition[:, 1] = transition[1] = -INF
    edges = sp.Chain(4, 3).edge_scores(unary, transition)
    assert not edges.isnan().any()
    assert not sp.Chain(4, 3).argmax(edges)[..., 1].any()


def test_sums_that_overflow_float32_are_still_compared():
    space = sp.Chain(4, 2)
    scores = torch.full((2, 3, 2, 2), -3e38)
    scores[0, :, 0, 0] = torch.tensor([3e38, 3e38, 2.9e38])
    scores[0, :, 1, 1] = torch.tensor([3e38, 3e38, 3e38])
    scores[1, :2] = -INF
    scores[1, :2, 0, 0] = -3e38  # with them the best sum is beneath what float32 holds
    scores[1, 2, 0, 1] = -2e38
    assert space.to_labels(space.argmax(scores)).tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]


# --- edge scores and labels


@pytest.mark.parametrize("transition_shape", [(3, 3), (4, 3, 3), (2, 4, 3, 3), (2, 1, 3, 3), (1, 4, 3, 3)], ids=str)
def test_transition_scores_broadcast(transition_shape):
    space = sp.Chain(5, 3)
    unary, transition = randn(2, 5, 3), randn(*transition_shape)
    edges = space.edge_scores(unary, transition)
    assert edges.shape == (2, 4, 3, 3)
    torch.testing.assert_close(edges - space.spread(unary), transition.expand(2, 4, 3, 3))


def test_labels_there_and_back():
    space = sp.Chain(3, 4)
    y = space.enumerate()
    labels = space.to_labels(y)
    assert {tuple(sequence) for sequence in labels.tolist()} == set(itertools.product(range(4), repeat=3))
    assert torch.equal(space.from_labels(labels), y)
    assert torch.equal(space.from_labels(labels.to(torch.uint8).reshape(4, 16, 3)), y.reshape(4, 16, 2, 4, 4))
    assert space.from_labels(labels[:0]).shape == (0, 2, 4, 4)
    assert space.to_labels(y[:0].bool()).shape == (0, 3)
    assert torch.equal(space.to_labels(y.half()), labels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.spread(torch.zeros(2, 4, 3)), "noise: expected a tensor of shape (*batch, 3, 4) for Chain("),
        (lambda s: s.spread(torch.zeros(4)), "noise: expected a tensor of shape (*batch, 3, 4) for Chain("),
        (lambda s: s.spread([0.0]), "noise: expected a torch tensor, got [0.0] (list)"),
        (
            lambda s: s.edge_scores(torch.zeros(3, 5), torch.zeros(4, 4)),
            "unary: expected a tensor of shape (*batch, 3, 4) for Chain(length=3, labels=4), got a float32 tensor of",
        ),
        (
            lambda s: s.edge_scores(torch.zeros(3, 4).long(), torch.zeros(4, 4)),
            "unary: expected a floating point tensor, got an int64 tensor of shape (3, 4); write unary.float()",
        ),
        (
            lambda s: s.edge_scores(torch.zeros(3, 4), torch.zeros(4)[:3]),
            "transition: expected a tensor that broadcasts to (2, 4, 4), as unary and the space ask, got a",
        ),
        (
            lambda s: s.edge_scores(torch.zeros(3, 4), torch.zeros(5, 2, 4, 4)),
            "transition: expected a tensor that broadcasts to (2, 4, 4), as unary and the space ask, got a",
        ),
        (
            lambda s: s.edge_scores(torch.zeros(3, 4), torch.zeros(4, 4).long()),
            "transition: expected a floating point tensor, got an int64 tensor",
        ),
        (
            lambda s: s.edge_scores(torch.zeros(3, 4), torch.zeros(4, 4, device="meta")),
            "transition: expected a tensor on cpu, where the scores are, got one on meta",
        ),
        (lambda s: s.from_labels(torch.zeros(3)), "labels: expected a tensor of integers, got a float32 tensor"),
        (lambda s: s.from_labels(torch.zeros(3) > 0), "labels: expected a tensor of integers, got a bool tensor"),
        (lambda s: s.from_labels([0, 0, 0]), "labels: expected a torch tensor, got [0, 0, 0] (list)"),
        (
            lambda s: s.from_labels(torch.zeros(5, 4).long()),
            "labels: expected a tensor of shape (*batch, 3) for Chain(length=3, labels=4), got an int64 tensor of",
        ),
        (lambda s: s.from_labels(torch.tensor([0, 3, 4])), "labels: expected numbers from 0 to 3, got 4 (int)"),
        (lambda s: s.from_labels(torch.tensor([0, 3, -1])), "labels: expected numbers from 0 to 3, got -1 (int)"),
        (lambda s: s.to_labels(torch.zeros(2, 2, 4, 4)), "y: expected structures of Chain(length=3, labels=4), got"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        call(sp.Chain(3, 4))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([3, 0]), "lengths: expected numbers from 1 to 3, got 0 (int)"),
        (torch.tensor([4, 3]), "lengths: expected numbers from 1 to 3, got 4 (int)"),
        (torch.tensor([3.0, 3.0]), "lengths: expected a tensor of integers, got a float32 tensor of shape (2,)"),
        (torch.tensor([3]), "lengths: expected a tensor of shape (2,), one number a sequence, got an int64 tensor"),
        (torch.tensor(3), "lengths: expected a tensor of shape (2,), one number a sequence, got an int64 tensor"),
        ([3, 3], "lengths: expected a torch tensor, got [3, 3] (list)"),
        (torch.zeros(2, dtype=torch.long, device="meta"), "lengths: expected a tensor on cpu, where the scores are"),
    ],
)
def test_bad_lengths_are_named(lengths, message):
    space = sp.Chain(3, 4)
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        space.edge_scores(torch.zeros(2, 3, 4), torch.zeros(4, 4), lengths)
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        space.from_labels(torch.zeros(2, 3).long(), lengths)


# --- padding


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_padded_batch_solves_each_sequence_at_its_own_length(lengths, seed):
    space, count = sp.Chain(5, 3), len(lengths)
    unary, transition = randn(count, 5, 3, seed=seed), randn(3, 3, seed=seed + 1)
    noise = space.spread(10 * randn(count, 5, 3, seed=seed + 2))
    solved = space.to_labels(space.argmax(space.edge_scores(unary, transition, torch.tensor(lengths)) + noise))
    noisy = unary + 10 * randn(count, 5, 3, seed=seed + 2)
    for labels, scores, length in zip(solved.tolist(), noisy, lengths, strict=True):
        assert tuple(labels[:length]) == best_sequence(scores[:length], transition)
        assert labels[length:] == [0] * (5 - length)


def test_what_stands_past_the_end_does_not_matter_not_even_nan():
    space, lengths = sp.Chain(4, 3), torch.tensor([2, 4])
    clean, dirty = randn(2, 4, 3), randn(2, 4, 3)
    dirty[0, 2:] = torch.nan
    dirty.requires_grad_()
    transition = randn(3, 3)
    edges = space.edge_scores(dirty, transition, lengths)
    assert torch.equal(edges, space.edge_scores(clean, transition, lengths))
    edges.masked_fill(edges.isneginf(), 0).sum().backward()
    assert dirty.grad[0, 2:].eq(0).all()
    assert dirty.grad[0, :2].ne(0).all()
    assert dirty.grad[1].ne(0).all()


def test_full_lengths_change_nothing():
    space, unary, transition = sp.Chain(4, 3), randn(2, 4, 3), randn(3, 3)
    assert torch.equal(space.edge_scores(unary, transition, torch.tensor([4, 4])), space.edge_scores(unary, transition))


def test_padded_edges_lead_to_label_0_at_no_score():
    edges = sp.Chain(4, 2).edge_scores(torch.ones(4, 2), torch.ones(2, 2), torch.tensor(2))
    assert edges[0].eq(3).all()  # two positions and a transition
    assert edges[1:, :, 0].eq(0).all()
    assert edges[1:, :, 1].isneginf().all()
    alone = sp.Chain(2, 2).edge_scores(torch.tensor([[1.0, 2.0], [7.0, 7.0]]), torch.ones(2, 2), torch.tensor(1))
    assert alone.tolist() == [[[1, -INF], [2, -INF]]]


def test_targets_of_padded_sequences():
    space, lengths = sp.Chain(4, 3), torch.tensor([2, 4])
    y = space.from_labels(torch.tensor([[2, 1, -100, 99], [0, 1, 2, 1]]), lengths)
    assert space.to_labels(y).tolist() == [[2, 1, 0, 0], [0, 1, 2, 1]]
    assert (space.edge_scores(torch.zeros(2, 4, 3), torch.zeros(3, 3), lengths)[y.bool()] == 0).all()


# --- membership


def test_edges_must_join():
    joined = sp.Chain(3, 2).from_labels(torch.tensor([0, 1, 0]))
    apart = joined.clone()
    apart[1] = torch.tensor([[1.0, 0.0], [0.0, 0.0]])  # from 0, though the edge before leads to 1
    two = joined.clone()
    two[1, 1, 1] = 1
    assert sp.Chain(3, 2).contains(torch.stack([joined, apart, two])).tolist() == [True, False, False]
