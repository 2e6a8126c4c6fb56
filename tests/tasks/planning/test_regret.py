import torch

import structpred as sp
from tasks.planning.data import Rows
from tasks.planning.regret import normalised_regret


def test_it_is_that_of_a_hand_made_example() -> None:
    """Two rows of three choices of one; the first seed chooses wrongly in its first row, the second in both."""
    costs = torch.tensor([[[1.0, 2.0, 4.0], [3.0, 5.0, 1.0]], [[1.0, 2.0, 4.0], [3.0, 5.0, 1.0]]])
    space = sp.OneHot(3)
    rows = Rows(torch.zeros(2, 2, 1), costs, space.argmax(-costs))
    predicted = torch.tensor([[[9.0, 9.0, 0.0], [7.0, 8.0, 6.0]], [[3.0, 2.0, 3.0], [1.0, 0.0, 1.0]]])
    regret = normalised_regret(space, predicted, rows)
    torch.testing.assert_close(regret, torch.tensor([(3.0 + 0.0) / 2, (1.0 + 4.0) / 2], dtype=torch.float64))


def test_of_values_it_is_what_is_missed_over_what_there_was() -> None:
    values = torch.tensor([[[3.0, 2.0, 4.0]]])
    space = sp.Knapsack([1, 1, 2], 2)
    rows = Rows(torch.zeros(1, 1, 1), -values, space.argmax(values))
    assert normalised_regret(space, -torch.tensor([[[1.0, 1.0, 9.0]]]), rows).item() == (5 - 4) / 5
    assert normalised_regret(space, -values, rows).item() == 0
