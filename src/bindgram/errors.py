"""Errors that a user can cause and mend."""


class InputError(Exception):
    """Something the user gave is wrong; the message names where, what, got, and what to do.

    The command line prints it as ``Error: ...`` with exit status 1. Any other exception is a bug of ours.
    """


class LeakageError(InputError):
    """A table would let test or validation data into training; nothing is written."""


MOST = 100  # problems in one message


def raise_all(problems: list[str], title: str) -> None:
    """Raise one ``InputError`` that lists every problem (the first `MOST` of very many), or return if there is none."""
    if problems:
        more = [f"  ... and {len(problems) - MOST} more"] if len(problems) > MOST else []
        lines = [f"{title}: {len(problems)} problem(s)", *(f"  - {problem}" for problem in problems[:MOST]), *more]
        raise InputError("\n".join(lines))
