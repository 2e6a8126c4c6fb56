"""Objectives: what turns scores, scale and loss into a number with gradients."""
