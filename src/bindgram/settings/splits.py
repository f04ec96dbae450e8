"""Split files: which regions of each assembly train, validate and test, and which experiments are held out whole.

A region is a chromosome name (``chr8``) or named block (``left_arm: chr22:16000000-20000000``; bp, 0-based, half-open).
"""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from bindgram.errors import InputError, raise_all
from bindgram.settings.base import Id, Settings, parse, read_yaml, suggestion, with_suggestions
from bindgram.settings.sheets import Experiment

SPLITS = ("train", "valid", "test")
HELD_SPLITS = ("test", "valid")  # what experiments may be held out into; the first that names one has it
Names = Annotated[list[str], Field(default_factory=list)]
_REGION = re.compile(r"^(?P<chrom>[^:\s]+)(:(?P<start>\d+)-(?P<end>\d+))?$")


class Block(NamedTuple):
    """A named stretch of a chromosome, in bp, 0-based, half-open; `end` None means to the chromosome's end."""

    name: str
    chrom: str
    start: int
    end: int | None
    split: str


class AssemblySplit(Settings):
    """Regions of one assembly: block name to region, for each split; `tiled` names the test block of T4."""

    train: Annotated[dict[str, str], Field(min_length=1)]
    valid: Annotated[dict[str, str], Field(min_length=1)]
    test: Annotated[dict[str, str], Field(min_length=1)]
    tiled: str | None = None

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

    @model_validator(mode="after")
    def _tiled_is_in_test(self) -> Self:
        if self.tiled is not None and self.tiled_block() is None:
            names = [block.name for block in self.blocks() if block.split == "test"]
            raise ValueError(
                f"tiled: {self.tiled!r} is no block of test, which has {', '.join(names)}"
                f"{suggestion(self.tiled, names)}"
            )
        return self

    def tiled_block(self) -> Block | None:
        """The test block that `tiled` names, by its own name or by that of its whole chromosome."""
        tests = [block for block in self.blocks() if block.split == "test"]
        named = [block for block in tests if block.name == self.tiled]
        whole = [block for block in tests if block.chrom == self.tiled and (block.start, block.end) == (0, None)]
        return next(iter(named + whole), None)

    def regions(self) -> dict[str, dict[str, str]]:
        """Block name to region for each split, without the keys that change no region."""
        return self.model_dump(mode="json", include=set(SPLITS))

    def blocks(self) -> list[Block]:
        """All blocks of all splits, in file order."""
        return [
            _block(name, text, split)
            for split, regions in zip(SPLITS, (self.train, self.valid, self.test), strict=True)
            for name, text in regions.items()
        ]


class HeldNames(Settings):
    """What is held out into one split: an experiment goes with its biosample, its TF or a family of its TF."""

    biosamples: Names
    tfs: Names
    families: Names


class HoldOut(Settings):
    """Experiments that are kept from training, whole: names for each split but train."""

    valid: HeldNames = Field(default_factory=HeldNames)
    test: HeldNames = Field(default_factory=HeldNames)

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        for key in HeldNames.model_fields:
            names = [*getattr(self.valid, key), *getattr(self.test, key)]
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{key}: {', '.join(repeated)} given twice; a name is held out into one split, once")
        return self


class SplitFile(Settings):
    """A split file: assembly id to its regions, and the experiments that are held out of training."""

    assemblies: dict[Id, AssemblySplit]
    hold_out: HoldOut = Field(default_factory=HoldOut)


def split_of_experiment(row: Experiment, hold_out: HoldOut) -> str:
    """``test`` or ``valid`` where the experiment is held out into that split, else ``train``.

    Of an experiment with one name held out into test and another into valid, test has it.
    """
    return next((split for split, _, _ in _holds(row, hold_out)), "train")


def why_held_out(row: Experiment, hold_out: HoldOut) -> str:
    """Why nothing of an experiment may train, as ``held out: biosample K562 is in test``; "" where all of it may."""
    split = split_of_experiment(row, hold_out)
    found = [f"{what} {name}" for into, what, name in _holds(row, hold_out) if into == split]
    return f"held out: {', '.join(found)} {'are' if len(found) > 1 else 'is'} in {split}" if found else ""


def _holds(row: Experiment, hold_out: HoldOut) -> Iterator[tuple[str, str, str]]:
    """Every name that holds an experiment out: split, what it names, and the name."""
    named = {
        "biosample": ("biosamples", [row.biosample]),
        "TF": ("tfs", [row.tf]),
        "family": ("families", row.families),
    }
    for split in HELD_SPLITS:
        for what, (key, names) in named.items():
            held = getattr(getattr(hold_out, split), key)
            yield from ((split, what, name) for name in names if name in held)


def hold_out_problems(hold_out: HoldOut, rows: Collection[Experiment], path: Path, sheet: str) -> list[str]:
    """Names held out that no row of the sheet has: each would hold out nothing, silently."""
    known: Mapping[str, dict[str, None]] = {
        "biosamples": dict.fromkeys(row.biosample for row in rows),
        "tfs": dict.fromkeys(row.tf for row in rows),
        "families": dict.fromkeys(family for row in rows for family in row.families),
    }
    problems = []
    for split in HELD_SPLITS:
        for key, there in known.items():
            unknown = [name for name in getattr(getattr(hold_out, split), key) if name not in there]
            if unknown and not there:
                problems.append(
                    f"{path}: hold_out.{split}.{key}: {sheet} has no column family, or nothing in it; fill it"
                )
            elif unknown:
                problems.append(f"{path}: hold_out.{split}.{key}: not in {sheet}: {with_suggestions(unknown, there)}")
    return problems


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
