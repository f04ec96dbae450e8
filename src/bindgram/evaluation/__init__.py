"""Predictions, metrics, baselines, figures and report tables."""
