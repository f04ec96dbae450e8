"""Errors that a user can cause and mend."""


class InputError(Exception):
    """Something the user gave is wrong; the message names where, what, got, and what to do.

    The command line prints it as ``Error: ...`` with exit status 1. Any other exception is a bug of ours.
    """


class LeakageError(InputError):
    """A table would let test or validation data into training; nothing is written."""


def raise_all(problems: list[str], title: str) -> None:
    """Raise one ``InputError`` that lists every problem, or return when there is none."""
    if problems:
        raise InputError("\n".join([f"{title}: {len(problems)} problem(s)", *(f"  - {p}" for p in problems)]))
