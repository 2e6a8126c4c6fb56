"""Predict-then-optimise: costs from features, judged by the plan that they lead to (Elmachtoub & Grigas 2022)."""
