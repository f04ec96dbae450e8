"""Predictions, metrics, baselines, comparisons and figures."""
