"""Split files: which regions of each assembly train, validate and test.

A region is a chromosome name (``chr8``) or named block (``left_arm: chr22:16000000-20000000``; bp, 0-based, half-open).
"""

import itertools
import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, field_validator

from bindgram.errors import InputError, raise_all
from bindgram.settings.base import Id, Settings, parse, read_yaml

SPLITS = ("train", "valid", "test")
_REGION = re.compile(r"^(?P<chrom>[^:\s]+)(:(?P<start>\d+)-(?P<end>\d+))?$")


class Block(NamedTuple):
    """A named stretch of a chromosome, in bp, 0-based, half-open; `end` None means to the chromosome's end."""

    name: str
    chrom: str
    start: int
    end: int | None
    split: str


class AssemblySplit(Settings):
    """Regions of one assembly: block name to region, for each split."""

    train: Annotated[dict[str, str], Field(min_length=1)]
    valid: Annotated[dict[str, str], Field(min_length=1)]
    test: Annotated[dict[str, str], Field(min_length=1)]

    @field_validator("train", "valid", "test", mode="before")
    @classmethod
    def _chromosomes_name_themselves(cls, value: object) -> object:
        return {str(item): str(item) for item in value} if isinstance(value, list) else value

    @field_validator("train", "valid", "test")
    @classmethod
    def _regions_parse(cls, value: dict[str, str]) -> dict[str, str]:
        bad = [text for text in value.values() if not _is_region(text)]
        if bad:
            raise ValueError(f"{bad[0]!r} is not a chromosome or chrom:start-end with start < end")
        return value

    def blocks(self) -> list[Block]:
        """All blocks of all splits, in file order."""
        return [
            _block(name, text, split)
            for split, regions in zip(SPLITS, (self.train, self.valid, self.test), strict=True)
            for name, text in regions.items()
        ]


class SplitFile(Settings):
    """A split file: assembly id to its regions."""

    assemblies: dict[Id, AssemblySplit]


def _is_region(text: str) -> bool:
    match = _REGION.match(text)
    return bool(match) and (match["start"] is None or int(match["start"]) < int(match["end"]))


def _block(name: str, text: str, split: str) -> Block:
    match = _REGION.match(text)
    assert match, text
    start, end = match["start"], match["end"]
    return Block(name, match["chrom"], int(start or 0), int(end) if end else None, split)


def load_split(path: Path) -> SplitFile:
    """Read a split file and check that blocks neither overlap nor share a name.

    Raises
    ------
    InputError : names the file, the assembly and the blocks.
    """
    split = parse(SplitFile, read_yaml(path), str(path))
    problems = []
    for assembly, regions in split.assemblies.items():
        blocks = sorted(regions.blocks(), key=lambda block: (block.chrom, block.start))
        for left, right in itertools.pairwise(blocks):
            if left.chrom == right.chrom and (left.end is None or right.start < left.end):
                problems.append(
                    f"{path}: {assembly}: block {left.name!r} ({left.split}) and block {right.name!r} ({right.split}) "
                    f"overlap on {left.chrom}; every base belongs to one block at most"
                )
        names = [block.name for block in blocks]
        problems += [
            f"{path}: {assembly}: block name {name!r} is used twice"
            for name in sorted(set(names))
            if names.count(name) > 1
        ]
    if problems:
        raise_all(problems, str(path))
    return split


def split_of_assembly(split: SplitFile, assembly: str, path: Path) -> AssemblySplit:
    """The regions of one assembly, or an `InputError` that lists the assemblies the file has."""
    if assembly not in split.assemblies:
        raise InputError(
            f"{path}: assemblies: {assembly!r} is missing; the file has {', '.join(sorted(split.assemblies))}"
        )
    return split.assemblies[assembly]
