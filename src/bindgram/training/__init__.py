"""Loaders, schedules and training loops."""
