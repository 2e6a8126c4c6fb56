"""What holds in every circumstance of a call: its definition, for the noise that was drawn."""

from __future__ import annotations

import attrs
import torch

from structpred.epsilon import Epsilon
from structpred.layers.identity import Projection
from structpred.testing._examples import listed
from structpred.testing.gradient_laws import definitions
from structpred.testing.gradient_laws.circumstances import CIRCUMSTANCES, Before, Circumstance, Scale, Scores
from structpred.testing.gradient_laws.follow import follow
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject, Subject
from structpred.testing.law import law
from structpred.testing.space_laws._rows import most_rows

_MOST_PROJECTED = 3000
# As chunks of them have it, one more, and a prime.
_MANY_SAMPLES = (17, 33, 64, 65, 100, 128, 129, 256, 257, 500, 512, 523, 1000)


def _has_a_policy(subject: Subject) -> str | None:
    epsilon = getattr(subject.module, "epsilon", None)
    if _groups(epsilon) > 1:
        return "the step takes two dimensions of examples apart"
    return None if isinstance(epsilon, Epsilon) else "the step is no policy"


def _groups(epsilon: object) -> int:
    """How many dimensions of examples a policy takes apart."""
    return max(getattr(it, "group_dims", 0) for it in (epsilon, getattr(epsilon, "initial", None)))


def _in_double_precision(subject: Subject) -> list[Circumstance]:
    """Where rounding moves no step past a tie; a policy that keeps a state answers the first call only."""
    found = [it for it in CIRCUMSTANCES if it.rows <= most_rows(subject.space) and it.dtype is torch.float64]
    epsilon = getattr(subject.module, "epsilon", None)
    if _groups(epsilon):  # a plain call has one dimension of examples, whose groups would be others
        found = [it for it in found if len(it.batch) == 1]
    if subject.keeps_a_state:
        found = [attrs.evolve(it, before=Before.NOTHING) for it in found]
    return found


def _all_of(subject: Subject) -> list[Circumstance]:
    """Those of all subjects, batches with as many examples as there are variables, and the subject's own samples."""
    alike = [
        attrs.evolve(CIRCUMSTANCES[0], batch=(size,), scale=scale)
        for size in dict.fromkeys(subject.space.noise_shape)
        for scale in (Scale.PER_EXAMPLE, Scale.SHARED)
        if size
    ]
    own = getattr(subject.module, "num_samples", None)
    alike += [attrs.evolve(CIRCUMSTANCES[0], samples=it) for it in (own, *_MANY_SAMPLES) if isinstance(it, int)]
    found = [it for it in (*CIRCUMSTANCES, *alike) if it.rows <= most_rows(subject.space)]
    if getattr(subject.module, "projection", Projection.NONE) is Projection.NONE:
        return found
    # Fine differences have no digits left once they are made large, and its definition takes examples one by one.
    return [it for it in found if it.scores is not Scores.FINE and it.rows <= _MOST_PROJECTED]


_circumstances = listed(_all_of)


@law(circumstance=_circumstances, share=3)
def direct_calls_follow_their_definition(
    subject: ObjectiveSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, value and gradients are those of the task loss and (y(eps) - y) / eps, under the noise."""
    follow(subject, circumstance, seed, definitions.direct_losses)


@law(circumstance=_circumstances, share=3)
def potential_calls_follow_their_definition(
    subject: ObjectiveSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, value and gradients are those of max_y <a s + m, y> - <a s + m, target>, under the noise."""
    follow(subject, circumstance, seed, definitions.potentials)


@law(circumstance=_circumstances, share=3)
def estimates_do_not_depend_on_circumstances(
    subject: ObjectiveSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, the value is the mean task loss under the noise, and gradients are those of a plain call."""
    follow(subject, circumstance, seed, definitions.mean_losses, estimate=True)


@law(circumstance=_circumstances, share=3)
def difference_layers_follow_their_definition(
    subject: LayerSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, structures are the argmax under the noise, and gradients (y(eps) - y) / eps along dL/dy."""
    follow(subject, circumstance, seed, definitions.difference_layers)


@law(circumstance=listed(_in_double_precision), needs=_has_a_policy)
def steps_do_not_depend_on_circumstances(subject: Subject, circumstance: Circumstance, *, seed: int = 0) -> None:
    """With a policy for the step, gradients in any circumstance are those of a plain call for the same examples."""
    is_layer = isinstance(subject, LayerSubject)
    definition = definitions.difference_layers if is_layer else definitions.direct_losses
    follow(subject, circumstance, seed, definition, own_step=True)


@law(circumstance=_circumstances, share=3)
def identity_layers_follow_their_definition(
    subject: LayerSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, structures are the argmax under the noise, and dL/dy goes on through the projection."""
    follow(subject, circumstance, seed, definitions.identity_layers)


@law(circumstance=_circumstances, share=3)
def mean_layers_do_not_depend_on_circumstances(
    subject: LayerSubject, circumstance: Circumstance, *, seed: int = 0
) -> None:
    """In any circumstance, the mean of the argmax under the noise is returned, with the gradients of a plain call."""
    follow(subject, circumstance, seed, definitions.mean_structures, estimate=True)
