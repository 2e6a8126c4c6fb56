"""Noise against the distributions that it names.

Policy for the random tests: every one draws from its own generator with a seed of its own, so that it passes or
fails the same way each time. For a new seed (``--seeds``) or a new torch, each test raises a false alarm with
probability ALARM at most; a miss is to be investigated, not repeated with another seed.
"""

import math
import pickle

import numpy as np
import pytest
import scipy.stats
import torch

import structpred as sp
from structpred.noise import _fill_open_uniform

ALARM = 1e-9
DRAWS = 200_000
DISTRIBUTIONS = {
    sp.Gumbel(): scipy.stats.gumbel_r(loc=-np.euler_gamma),
    sp.Normal(): scipy.stats.norm(),
    sp.Logistic(): scipy.stats.logistic(),
    sp.Uniform(): scipy.stats.uniform(loc=-1, scale=2),
}
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

every_noise = pytest.mark.parametrize("noise", DISTRIBUTIONS, ids=repr)
fine_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def draw(noise, *shape, seed=0, dtype=torch.float64):
    return noise.sample(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def false_alarm(z: float) -> float:
    """How often a standard normal lies further out than z, on either side."""
    return 2 * scipy.stats.norm.sf(abs(z))


def test_every_public_noise_has_a_row():
    public = {value for value in vars(sp).values() if isinstance(value, type) and issubclass(value, sp.Noise)}
    assert public - {sp.Noise, sp.SumOfGamma} == {type(noise) for noise in DISTRIBUTIONS}


@pytest.mark.statistical
@every_noise
@fine_dtypes
def test_the_mean_is_zero(noise, dtype, statistical_seed):
    draws = draw(noise, DRAWS, seed=4 * statistical_seed + 1, dtype=dtype).double()
    assert false_alarm(float(draws.mean()) / math.sqrt(noise.variance / DRAWS)) > ALARM


@pytest.mark.statistical
@every_noise
@fine_dtypes
def test_the_variance_is_the_one_stated(noise, dtype, statistical_seed):
    draws = draw(noise, DRAWS, seed=4 * statistical_seed + 2, dtype=dtype).double()
    excess_kurtosis = float(DISTRIBUTIONS[noise].stats("k"))
    standard_error = noise.variance * math.sqrt((excess_kurtosis + 2) / DRAWS)
    assert false_alarm((float(draws.var()) - noise.variance) / standard_error) > ALARM


@every_noise
def test_the_stated_variance_is_that_of_the_distribution(noise):
    assert noise.variance == pytest.approx(DISTRIBUTIONS[noise].var(), rel=1e-12)


@pytest.mark.statistical
@every_noise
@fine_dtypes
def test_the_draws_follow_the_distribution(noise, dtype, statistical_seed):
    draws = draw(noise, DRAWS, seed=4 * statistical_seed + 3, dtype=dtype)
    assert scipy.stats.kstest(draws.double().numpy(), DISTRIBUTIONS[noise].cdf).pvalue > ALARM


@pytest.mark.statistical
@every_noise
def test_neighbouring_draws_are_uncorrelated(noise, statistical_seed):
    one, other = draw(noise, 2, DRAWS, seed=4 * statistical_seed + 4) / math.sqrt(noise.variance)
    assert false_alarm(float((one * other).mean()) * math.sqrt(DRAWS)) > ALARM
    assert false_alarm(float((one[1:] * one[:-1]).mean()) * math.sqrt(DRAWS - 1)) > ALARM


@every_noise
def test_density_and_distribution_function_are_those_of_the_distribution(noise):
    at = torch.linspace(-4, 4, 81, dtype=torch.float64)[:-1] + 0.01
    expected = DISTRIBUTIONS[noise]
    np.testing.assert_allclose(noise.log_prob(at), expected.logpdf(at), rtol=1e-10)
    np.testing.assert_allclose(noise.cdf(at), expected.cdf(at), rtol=1e-10)
    assert noise.log_prob(at.float()).dtype == noise.cdf(at.float()).dtype == torch.float32


@every_noise
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_shape_and_dtype_are_those_asked_for(noise, shape, dtype):
    draws = noise.sample(shape, dtype=dtype)
    assert draws.shape == shape
    assert draws.dtype == dtype
    assert draws.isfinite().all()
    assert not draws.requires_grad


@every_noise
def test_the_default_dtype_and_device_are_those_of_torch(noise):
    draws = noise.sample((2,))
    assert draws.dtype == torch.get_default_dtype()
    assert draws.device == torch.get_default_device()


@every_noise
def test_draws_are_made_on_the_device_asked_for(noise):
    assert noise.sample((2,), device="meta").device.type == "meta"


@every_noise
def test_equal_generators_give_equal_draws_and_different_ones_different_draws(noise):
    assert torch.equal(draw(noise, 50, seed=5), draw(noise, 50, seed=5))
    assert not torch.equal(draw(noise, 50, seed=5), draw(noise, 50, seed=6))


@every_noise
def test_a_generator_moves_on_and_leaves_the_global_one_alone(noise):
    generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    first, second = (noise.sample((50,), generator=generator) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@every_noise
def test_without_a_generator_the_global_seed_decides(noise):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = noise.sample((50,))
        torch.manual_seed(0)
        assert torch.equal(noise.sample((50,)), first)


@every_noise
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("extreme", ["zero", "smallest step", "largest below one", "one"])
def test_the_extreme_draws_are_finite(noise, dtype, extreme, monkeypatch):
    eps = torch.finfo(dtype).eps
    value = {"zero": 0.0, "smallest step": eps / 2, "largest below one": 1 - eps / 2, "one": 1.0}[extreme]
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda draws, *, generator=None: draws.fill_(value))
    draws = noise.sample((4,), dtype=dtype)
    assert draws.isfinite().all()
    if noise == sp.Uniform():
        assert draws.abs().lt(1).all()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_uniform_interval_is_open(dtype, value, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda draws, *, generator=None: draws.fill_(value))
    draws = _fill_open_uniform(torch.empty(2, dtype=dtype), None)
    assert (draws > 0).all()
    assert (draws < 1).all()


@fine_dtypes
def test_uniform_draws_inside_the_interval_stay_as_they_are(dtype, monkeypatch):
    step = torch.finfo(dtype).eps / 2  # of what torch draws
    drawn = torch.tensor([step, 0.5, 1 - step], dtype=dtype)
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda draws, *, generator=None: draws.copy_(drawn))
    assert torch.equal(_fill_open_uniform(torch.empty(3, dtype=dtype), None), drawn)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool], ids=str)
def test_a_dtype_that_is_not_floating_point_is_refused(dtype):
    with pytest.raises(sp.ArgumentError, match="dtype: expected a floating point"):
        sp.Gumbel().sample((3,), dtype=dtype)


@every_noise
def test_a_noise_is_a_value(noise):
    again = pickle.loads(pickle.dumps(noise))
    assert again == noise
    assert hash(again) == hash(noise)
    assert repr(noise) == f"{type(noise).__name__}()"
    assert [other for other in DISTRIBUTIONS if other == noise] == [noise]


def test_the_terms_of_a_sum_are_named():
    with pytest.raises(TypeError, match="positional"):
        sp.SumOfGamma(2, 5)


def test_a_noise_must_say_how_to_draw_and_its_variance():
    class Silent(sp.Noise):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Silent()


def test_a_noise_of_ones_own_needs_only_the_two():
    class Laplace(sp.Noise):
        variance = 2.0

        def _fill(self, draws, generator):
            sign = torch.randint(0, 2, draws.shape, generator=generator).mul(2).sub(1)
            return draws.exponential_(generator=generator).mul_(sign)

    draws = draw(Laplace(), DRAWS, seed=7)
    assert scipy.stats.kstest(draws.numpy(), scipy.stats.laplace().cdf).pvalue > ALARM
    for method in (Laplace().log_prob, Laplace().cdf):
        with pytest.raises(NotImplementedError, match="does not give its d"):
            method(draws)


# --- the sum of Gamma draws


@pytest.mark.statistical
@pytest.mark.parametrize("parts", [1, 3])
def test_the_draws_of_a_structures_parts_sum_to_a_gumbel_draw(parts, statistical_seed):
    """To the largest of ``terms`` exponential draws, to be exact, of which the Gumbel distribution is the limit."""
    noise, terms = sp.SumOfGamma(parts, terms=5), 5
    draws = draw(noise, parts, DRAWS, seed=4 * statistical_seed + 4)
    mean = sum(1 / term for term in range(1, terms + 1))
    total = draws.sum(0).numpy()
    assert scipy.stats.kstest(total, lambda x: (1 - np.exp(-np.clip(x + mean, 0, None))) ** terms).pvalue > ALARM
    assert noise.variance * parts == pytest.approx(sum(1 / term**2 for term in range(1, terms + 1)))
    standard_error = math.sqrt(noise.variance / draws.numel())
    assert false_alarm(float(draws.mean()) / standard_error) > ALARM


def test_the_sum_of_gamma_draws_comes_near_gumbel():
    assert sp.SumOfGamma(4).terms == 10
    assert sp.SumOfGamma(4, terms=1000).variance * 4 == pytest.approx(sp.Gumbel().variance, rel=1e-3)


def test_the_sum_of_gamma_draws_repeats_with_its_generator():
    assert torch.equal(draw(sp.SumOfGamma(2), 3, 4, seed=1), draw(sp.SumOfGamma(2), 3, 4, seed=1))
    assert draw(sp.SumOfGamma(2), 3, dtype=torch.float32).dtype == torch.float32


@pytest.mark.parametrize(("settings", "name"), [({"parts": 0}, "parts"), ({"parts": 2, "terms": 1.5}, "terms")])
def test_the_sum_of_gamma_draws_takes_integers(settings, name):
    with pytest.raises(sp.ArgumentError, match=f"{name}: expected an integer of at least 1"):
        sp.SumOfGamma(**settings)
