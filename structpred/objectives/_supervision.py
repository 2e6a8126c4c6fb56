"""What objectives learn from, validated and laid out as the scores are."""

from __future__ import annotations

import torch
from torch import Tensor

from structpred._validation import validate_broadcast, validate_same_device
from structpred.errors import argument_error
from structpred.loss import LinearLoss
from structpred.spaces.base import StructuredSpace


def coefficients_of(space: StructuredSpace, loss: object, scores: Tensor) -> Tensor:
    """The loss's coefficients, in the scores' dtype and shape, once they and the constant are known to fit.

    Raises:
        ArgumentError: for what is no ``LinearLoss``, and for other shapes and devices.
    """
    if not isinstance(loss, LinearLoss):
        raise argument_error("loss", "a LinearLoss", loss, _instead(loss))
    batch = space.batch_shape("scores", scores)
    _validate_part("loss.coefficients", loss.coefficients, space, scores)
    if isinstance(loss.constant, Tensor):
        validate_same_device("loss.constant", loss.constant, scores)
        validate_broadcast("loss.constant", loss.constant, batch, "the scores have it")
    return loss.coefficients.to(scores.dtype).expand_as(scores)


def target_of(space: StructuredSpace, supervision: object, scores: Tensor) -> Tensor:
    """The structure to learn, ``(*batch, *shape)`` in the scores' dtype: the one given, or the best of a loss.

    Where a loss does not know its best structure, that is solved for, without the parts that the scores forbid.

    Raises:
        ArgumentError: for what is neither, for other shapes and devices, and for what is not in the space.
    """
    if isinstance(supervision, Tensor):
        _validate_part("target", supervision, space, scores)
        return space.validate_members("target", supervision).to(scores.dtype).expand_as(scores)
    if not isinstance(supervision, LinearLoss):
        raise argument_error("supervision", "a target structure or a LinearLoss", supervision, _instead(supervision))
    coefficients = coefficients_of(space, supervision, scores).detach()
    if supervision.best is None:
        return space.argmax(coefficients.neg().masked_fill(scores.isneginf(), -torch.inf))
    _validate_part("loss.best", supervision.best, space, scores)
    return supervision.best.to(scores.dtype).expand_as(scores)


def _validate_part(name: str, tensor: Tensor, space: StructuredSpace, scores: Tensor) -> None:
    validate_same_device(name, tensor, scores)
    space.batch_shape(name, tensor)
    validate_broadcast(name, tensor, tuple(scores.shape), "the scores have it")


def _instead(supervision: object) -> str:
    if callable(supervision):
        return "for a loss that is not linear in y take a layer, Blackbox(space) say, or ScoreFunctionLoss(space)"
    return "write for example space.hamming(target), or space.regret(costs)"
