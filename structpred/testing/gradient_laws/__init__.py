"""The laws of objectives and layers: those that all share, and those of each kind."""

from types import ModuleType

from structpred.testing.gradient_laws import (
    calls,
    direct,
    grid,
    in_expectation,
    layers,
    objectives,
    potentials,
    score_functions,
    units,
)
from structpred.testing.law import Law


def _laws_in(module: ModuleType) -> tuple[Law, ...]:
    return tuple(law for law in vars(module).values() if isinstance(law, Law))


_UNBIASED = (
    in_expectation.many_draws_have_the_mean_of_few,
    in_expectation.mean_gradient_equals_differences_of_the_loss,
    in_expectation.mean_gradient_equals_the_closed_form,
    in_expectation.mean_gradient_equals_the_quadrature,
)

OBJECTIVE_LAWS = (*_laws_in(calls), *_laws_in(objectives), in_expectation.noise_is_what_it_says)
"""Of every objective."""

DIRECT_LAWS = (
    grid.direct_calls_follow_their_definition,
    grid.steps_do_not_depend_on_circumstances,
    *_laws_in(direct),
    *OBJECTIVE_LAWS,
    *_laws_in(units),
    in_expectation.mean_gradient_equals_the_score_function_estimate,
    in_expectation.mean_gradient_equals_the_closed_form,
    in_expectation.mean_gradient_equals_the_quadrature,
    in_expectation.bias_falls_with_epsilon,
    in_expectation.frequencies_are_those_of_the_softmax,
)
"""Of an objective whose gradient is a difference of two structures, a step ``epsilon`` apart."""

POTENTIAL_LAWS = (grid.potential_calls_follow_their_definition, *_laws_in(potentials), *OBJECTIVE_LAWS)
"""Of an objective that is convex in the scores, and whose gradient is its own."""

SCORE_FUNCTION_LAWS = (
    grid.estimates_do_not_depend_on_circumstances,
    direct.value_is_the_mean_loss_under_noise,
    *_laws_in(score_functions),
    *OBJECTIVE_LAWS,
    *_UNBIASED,
)
"""Of an objective whose gradient is that of the expected loss in the mean."""

LAYER_LAWS = (
    *_laws_in(calls),
    layers.gradients_follow_the_unit_of_the_loss,
    in_expectation.noise_is_what_it_says,
)
"""Of every layer."""

DIFFERENCE_LAYER_LAWS = (
    grid.difference_layers_follow_their_definition,
    grid.steps_do_not_depend_on_circumstances,
    layers.structures_are_answers_to_the_perturbed_scores,
    layers.gradient_for_scores_is_the_difference_along_what_arrived,
    layers.gradient_for_scale_is_the_difference_along_what_arrived,
    *LAYER_LAWS,
)
"""Of a layer whose backward pass takes a step ``epsilon`` along dL/dy."""

IDENTITY_LAYER_LAWS = (
    grid.identity_layers_follow_their_definition,
    layers.structures_are_answers_to_the_perturbed_scores,
    layers.gradient_is_what_arrived,
    *LAYER_LAWS,
)
"""Of a layer whose backward pass hands dL/dy on."""

MEAN_LAYER_LAWS = (
    grid.mean_layers_do_not_depend_on_circumstances,
    layers.mean_is_that_of_its_draws,
    *LAYER_LAWS,
    *_UNBIASED,
)
"""Of a layer that returns the mean structure under noise, with a derivative that is right in the mean."""

GRADIENT_LAWS = tuple(
    dict.fromkeys(
        (
            *DIRECT_LAWS,
            *POTENTIAL_LAWS,
            *SCORE_FUNCTION_LAWS,
            *DIFFERENCE_LAYER_LAWS,
            *IDENTITY_LAYER_LAWS,
            *MEAN_LAYER_LAWS,
        )
    )
)
"""Every law of an objective or a layer, once."""
