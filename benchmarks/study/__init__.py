"""The study of the step and of sigma: every setting on every problem, under the same trainings."""
