"""Images are moved and mirrored, each in its own way, and a step's in a way that hangs on seed and step alone."""

import torch

from tasks.knn.augmentation import crop_and_flip
from tests.tasks.knn.tiny import TINY, differences, trained, trainer_of


def test_each_image_is_one_of_its_162_variants_and_all_of_them_come() -> None:
    image = torch.arange(1, 2 * 12 * 10 + 1, dtype=torch.uint8).reshape(1, 2, 12, 10)
    padded = torch.nn.functional.pad(image, (4,) * 4)
    cuts = [padded[..., row : row + 12, column : column + 10] for row in range(9) for column in range(9)]
    variants = [cut.flatten().tolist() for cut in (*cuts, *(cut.flip(-1) for cut in cuts))]
    # Each variant is missing from 5,000 with probability (161 / 162)^5000 = 3.5e-14, so any with 6e-12.
    augmented = crop_and_flip(image.expand(5000, -1, -1, -1), torch.Generator().manual_seed(0))
    assert augmented.shape == (5000, 2, 12, 10)
    assert augmented.dtype is torch.uint8
    assert {tuple(found) for found in augmented.flatten(1).tolist()} == {tuple(variant) for variant in variants}


def test_a_training_sees_other_images_in_every_step_and_the_same_ones_again() -> None:
    once, again, plain = (trainer_of(augment=augment) for augment in (True, True, False))
    seen = []
    once.embedding[0].register_forward_pre_hook(lambda _, pixels: seen.append(pixels[0]))
    for _ in range(2):
        once.embed(torch.arange(10), torch.arange(20))
        once.steps += 1
    assert not torch.equal(*seen)
    once.steps = 0
    weights = [trained(trainer, 4).state()["embedding"] for trainer in (once, again, plain)]
    assert differences(weights[0], weights[1]) == []
    assert differences(weights[0], weights[2])


def test_weights_decay_in_units_of_the_rate() -> None:
    rate, decay = 1e-3, 5.0
    decayed, plain = trained(trainer_of(weight_decay=decay, rate=rate), 1), trained(trainer_of(rate=rate), 1)
    initial = trainer_of().state()["embedding"]
    assert TINY.weight_decay == 0
    for name, parameter in plain.embedding.named_parameters():
        expected = parameter - rate * decay * initial[name]
        torch.testing.assert_close(decayed.embedding.get_parameter(name), expected, rtol=1e-4, atol=1e-6)
