"""Encoders, heads, losses and bundles."""
