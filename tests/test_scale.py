"""Which scales are accepted, as what, and how the others are refused. Batch (5,), noise (3, 4)."""

import re

import numpy as np
import pytest
import torch

import structpred as sp
from structpred._scale import explain_scale, validate_scale

BATCH, NOISE = (5,), (3, 4)


def check(scale, batch=BATCH, noise_shape=NOISE, dtype=torch.float32):
    scale = validate_scale(scale, batch, noise_shape, torch.zeros(*batch, *noise_shape, dtype=dtype))
    explain_scale(scale)
    return scale


@pytest.mark.parametrize("scale", [1, 0.5, 1e-30, 1e30, np.float32(0.5), np.int64(2)])
def test_a_positive_number_stays_a_number(scale):
    checked = check(scale)
    assert type(checked) is float
    assert checked == scale


@pytest.mark.parametrize("shape", [(5, 1, 1), (5, 3, 1), (5, 1, 4), (1, 3, 4), (5, 3, 4)])
def test_a_tensor_with_each_dimension_full_or_one_is_returned_as_it_is(shape):
    scale = torch.rand(shape) + 0.1
    checked = check(scale)
    assert torch.equal(checked, scale)
    assert (checked * torch.zeros(5, 3, 4)).shape == (5, 3, 4)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (1, 1, 1, 1, 1)])
def test_one_element_of_any_shape_is_one_scale_for_all(shape):
    assert torch.equal(check(torch.nn.Parameter(torch.full(shape, 0.5))), torch.tensor(0.5))


@pytest.mark.parametrize(
    ("batch", "shape"), [((), (3, 4)), ((2, 5), (2, 5, 1, 1)), ((2, 5), (1, 5, 3, 1)), ((0,), (0, 1, 1))]
)
def test_any_number_of_batch_dimensions(batch, shape):
    assert check(torch.ones(shape), batch).shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("own", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_takes_the_dtype_of_the_scores(own, dtype):
    checked = check(torch.full((5, 1, 1), 0.5, dtype=own), dtype=dtype)
    assert checked.dtype == dtype
    assert checked.eq(0.5).all()


def test_the_gradient_reaches_the_network_that_made_the_scale():
    raw = torch.ones(5, 1, 1, dtype=torch.float64, requires_grad=True)
    check(raw).sum().backward()
    assert raw.grad.eq(1).all()


@pytest.mark.parametrize("shape", [(5,), (4,), (3, 4), (5, 3), (12,), (1, 5, 3, 4), (5, 1, 1, 1)])
def test_another_number_of_dimensions_is_refused_even_where_it_would_broadcast(shape):
    message = (
        f"scale: expected a number or a tensor of 3 dimensions that broadcasts to (5, 3, 4), got a float32 tensor "
        f"of shape {shape}; "
    )
    with pytest.raises(sp.ArgumentError, match=re.escape(message)) as refused:
        check(torch.ones(shape))
    instead = str(refused.value).rpartition("; ")[2]
    if instead.startswith("write"):  # what the message says to write is right
        advised = eval(instead.removeprefix("write ").partition(" for ")[0], {"scale": torch.ones(shape)})
        assert torch.equal(check(advised), advised)
    else:
        assert instead == "one scale per example has shape (5, 1, 1), one per variable (1, 3, 4)"


@pytest.mark.parametrize("shape", [(4, 1, 1), (5, 4, 3), (5, 2, 1), (0, 1, 1), (5, 1, 0)])
def test_a_dimension_of_another_size_is_refused(shape):
    with pytest.raises(sp.ArgumentError, match=r"broadcasts to \(5, 3, 4\), got a float32 tensor of shape"):
        check(torch.ones(shape))


@pytest.mark.parametrize("scale", [0, 0.0, -1, -1e-30])
def test_a_number_that_is_not_positive_is_refused(scale):
    message = re.escape(f"scale: expected a positive number, got {scale!r} ({type(scale).__name__}); noise=None means")
    with pytest.raises(sp.ArgumentError, match=message):
        check(scale)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), True, "1", None, [1.0], np.ones(1), 1j])
def test_what_is_no_finite_number_is_refused(scale):
    with pytest.raises(sp.ArgumentError, match="scale: expected a finite number, got"):
        check(scale)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_a_tensor_of_another_kind_is_refused(dtype):
    with pytest.raises(
        sp.ArgumentError, match=r"scale: expected a floating point tensor, got .*; write scale.float\(\)"
    ):
        check(torch.ones(5, 1, 1, dtype=dtype))


@pytest.mark.parametrize(
    ("bad", "worst"),
    [
        (0.0, "entries from 0 to 2"),
        (-0.25, "entries from -0.25 to 2"),
        (float("inf"), "entries from 2 to inf"),
        (float("nan"), "NaN"),
    ],
)
def test_a_tensor_with_one_bad_entry_is_refused(bad, worst):
    scale = torch.full((5, 1, 1), 2.0)
    scale[3] = bad
    message = f"scale: expected positive finite entries, got {worst}; end the network with nn.Softplus()"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        check(scale)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scalar_tensor_obeys_the_same_rules(bad):
    with pytest.raises(sp.ArgumentError, match="scale: expected positive finite entries"):
        check(torch.tensor(bad))


def test_another_device_is_refused():
    message = "scale: expected a tensor on cpu, where the scores are, got one on meta; write scale.to(scores.device)"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        check(torch.ones(5, 1, 1, device="meta"))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_a_scale_that_the_scores_dtype_cannot_hold_is_refused(scale):
    with pytest.raises(sp.ArgumentError, match="scale: expected positive"):
        check(torch.tensor(scale, dtype=torch.float64), dtype=torch.float32)
    with pytest.raises(sp.ArgumentError, match=r"scale: expected a number that float32 scores can hold, got 1e"):
        check(scale)
    assert check(scale, dtype=torch.float64) == scale
