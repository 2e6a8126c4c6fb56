"""The adaptive step of adaptive I-MLE, as a policy with state; within a layer: tests/layers/test_direct.py."""

import torch

import structpred as sp


def test_the_adaptive_step_steers_the_number_of_entries_a_draw():
    """Algorithm 1 of Minervini et al. 2023, with the running mean written out."""
    policy = sp.AdaptiveEpsilon(initial=0.5, target=3.0, rate=0.1, decay=0.5)
    scores, direction = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    start = policy.start(scores, direction, None, 1)
    torch.testing.assert_close(start, torch.full((2,), -0.5 * 5 / 2))
    sparse, dense = torch.tensor([[[1.0, -1.0], [0.0, 0.0]]]), torch.ones(4, 2, 9)
    assert policy.grow(start, start, sparse, None) is None
    torch.testing.assert_close(policy.count, torch.tensor(0.5 * 3 + 0.5 * 1))  # two entries in two draws
    torch.testing.assert_close(policy.alpha, torch.tensor(0.6))
    policy.grow(start, start, dense, None)
    torch.testing.assert_close(policy.count, torch.tensor(0.5 * 2 + 0.5 * 9))
    torch.testing.assert_close(policy.alpha, torch.tensor(0.5))


def test_the_adaptive_step_stays_positive_and_finite():
    policy = sp.AdaptiveEpsilon(initial=0.1, rate=0.1)
    nothing = torch.zeros(2, 3)
    for _ in range(5):
        step = policy.start(nothing, nothing, None, 1)
        policy.grow(step, step, torch.ones(1, 2, 3), None)
    torch.testing.assert_close(policy.alpha, torch.tensor(0.1))
    assert policy.start(nothing, nothing, None, 1).isfinite().all()


def test_scores_of_0_count_as_of_norm_1_and_so_does_a_direction_of_0():
    nothing, direction = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    policy = sp.AdaptiveEpsilon()
    torch.testing.assert_close(policy.start(nothing, direction, None, 1), torch.tensor([-1 / 5]))
    torch.testing.assert_close(policy.start(direction, nothing, None, 1), torch.tensor([-5.0]))


def test_the_adaptive_step_counts_no_forbidden_part():
    scores, direction = torch.tensor([[1.0, -torch.inf]]), torch.tensor([[2.0, 1e6]])
    torch.testing.assert_close(sp.AdaptiveEpsilon().start(scores, direction, None, 1), torch.tensor([-0.5]))


def test_the_adaptive_step_counts_the_entries_of_a_draw_of_structures_of_two_dimensions():
    policy = sp.AdaptiveEpsilon(target=4.0, decay=0.0)
    scores = torch.ones(3, 2, 2)
    step = policy.start(scores, scores, None, 2)
    policy.grow(step, step, torch.ones(5, 3, 2, 2), None)  # five draws of three examples
    assert policy.count == 4
