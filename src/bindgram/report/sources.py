"""From the files of a run to its report: what is there is read once, and each section takes its part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.data.tiles import Tiles
from bindgram.evaluation.audit import read_audit
from bindgram.evaluation.collect import read_collected
from bindgram.evaluation.metrics import METRICS
from bindgram.report.audit import Audits, suspicious_notes
from bindgram.report.comparison import comparison_section
from bindgram.report.controls import Controls, controls_section
from bindgram.report.data import Tables, data_section, find_filter_tables, gather
from bindgram.report.experiments import (
    Run,
    Templates,
    about_experiments,
    experiment_data,
    pack,
    read_interpretations,
    verdicts_of,
)
from bindgram.report.headline import Headline, compare, headline_section
from bindgram.report.lines import MEASURED, TRAINING, summarise, warnings_of, without_homologs
from bindgram.report.methods import methods_section
from bindgram.report.missing import missing_section
from bindgram.report.page import Section, render
from bindgram.report.reading import definitions_section, reading_section
from bindgram.report.reproducibility import reproducibility_section
from bindgram.report.results import TILED, read_costs, results_data, results_section
from bindgram.settings import Config


@dataclass(frozen=True)
class Sources:
    """What a report is made of.

    Attributes
    ----------
    frame, upstream : the metrics (those of tiles among them) and their provenance.
    steps, audits : of the data, by experiment (and split, where there are several). repeats : by assembly.
    interpretations : experiment to what was found in its models.
    """

    frame: pd.DataFrame
    upstream: Mapping[str, Any]
    steps: Tables
    audits: Audits
    repeats: Mapping[str, str]
    interpretations: Mapping[str, Sequence[Mapping[str, Any]]]
    templates: Templates
    run: Run

    @property
    def experiments(self) -> list[str]:
        """Ids, in the order of the table."""
        return list(dict.fromkeys(self.frame["experiment"]))


def read_sources(
    metrics: Path, tiled: Path | None, templates: Templates, tiles: Sequence[tuple[str, Path]], config: Config
) -> Sources:
    """Read what is there.

    Raises
    ------
    InputError : a file is not what it should be, or a template cannot be filled.
    """
    frame, upstream = read_collected(metrics)
    if tiled is not None and tiled.is_file():
        frame = pd.concat([frame, of_tiles(read_collected(tiled)[0], frame)], ignore_index=True)
    experiments = list(dict.fromkeys(frame["experiment"]))
    run = Run(config.split, config.negatives.schemes, list(dict.fromkeys(frame["model"])), config.seeds[0])
    return Sources(
        frame,
        upstream,
        gather(find_filter_tables(templates.filters, config.split, experiments)),
        {name: read_audit(path) for name, path in find_filter_tables([templates.audit], config.split, experiments)},
        {assembly: Tiles.open(path).repeats for assembly, path in tiles if path.exists()},
        {name: read_interpretations(templates.interpretation, run, name) for name in experiments},
        templates,
        run,
    )


def of_tiles(tiled: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the tiled block beside those of the other test sets.

    A training without a result here lacks this test set, which says nothing of the others. Where these say that it is
    missing as a whole, it is not said again.
    """
    training, whole = [*TRAINING, "seed"], tiled["test_set"] == ""
    missing = tiled[whole].merge(frame.loc[frame["test_set"] == "", training], how="left", indicator=True)
    missing = missing[missing["_merge"] == "left_only"].drop(columns=["_merge", "test_set", "metric"])
    named = missing.merge(pd.DataFrame({"test_set": TILED, "metric": list(METRICS)}), how="cross")
    return pd.concat([tiled[~whole], named[list(tiled.columns)]], ignore_index=True)


def report_page(
    sources: Sources,
    comparison: Mapping[str, Any] | None,
    controls: Controls,
    made: Mapping[str, Any],
    config: Config,
    provenance: Mapping[str, Any],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    comparison : of ``bindgram compare-models``, or None. controls : of `read_controls`. made : of `made_with`.
    """
    frame = sources.frame
    titles = {name: metric.title for name, metric in METRICS.items()}
    main = config.headline
    headline = Headline(main.test_set, main.metric, titles[main.metric], config.floor)
    compared = compare(frame, headline, config)
    warnings = warnings_of(frame, suspicious_notes(sources.audits), config)
    keys = list(frame[TRAINING].drop_duplicates().itertuples(index=False, name=None))
    costs = read_costs([name for name in sources.templates.benchmarks if "{model}" in name], keys)
    verdicts = verdicts_of(sources.interpretations)
    scores = summarise(frame[~without_homologs(frame)], MEASURED)
    results = results_data(frame, scores, headline, titles, warnings, verdicts, costs, config)
    likelihood = frame["model"].str.startswith("likelihood_").any()
    sections = [
        Section("headline", "Headline", "Results", headline_section(frame, compared, headline, config)),
        Section("experiments", "Experiments", "All experiments", results_section(headline)),
        Section(
            "models",
            "Models compared",
            "Models compared",
            [*comparison_section(comparison, headline, titles, compared), *controls_section(controls, headline)],
        ),
        Section("data", "Data", "Data", data_section(sources.steps, config.positives.filters, sources.audits)),
        Section("missing", "Not there", "Skipped, failed and not defined", missing_section(frame, config)),
        Section("reading", "How to read", "How to read this report", reading_section(config, likelihood=likelihood)),
        Section("metrics", "Metrics", "What the metrics mean", definitions_section()),
        Section("methods", "Methods", "Methods", methods_section(config, sources.upstream, sources.repeats)),
        Section("reproducibility", "Reproducibility", "Reproducibility", reproducibility_section(made)),
    ]
    return render(
        "Where transcription factors bind", sections, results, _packed(sources, scores, titles, warnings), provenance
    )


def _packed(
    sources: Sources, scores: pd.DataFrame, titles: Mapping[str, str], warnings: Mapping[tuple[str, ...], Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Experiment after experiment with its packed data."""
    notes: dict[str, dict[tuple[str, ...], Sequence[str]]] = {}
    for key, texts in warnings.items():
        notes.setdefault(key[0], {}).update({key: texts} if texts else {})
    for name, about in about_experiments(sources.frame, scores).items():
        of_splits = [name, *(f"{name} ({split})" for split in sources.run.splits)]  # as `find_filter_tables` names them
        filters = {
            step if part == name else f"{step} ({part.removeprefix(name)[2:-1]})": counts[part]
            for step, counts in sources.steps.items()
            for part in of_splits
            if part in counts
        }
        audits = [sources.audits[part] for part in of_splits if part in sources.audits]
        yield (
            name,
            pack(
                experiment_data(
                    name,
                    about,
                    titles,
                    filters,
                    pd.concat(audits, ignore_index=True) if audits else None,
                    sources.interpretations[name],
                    notes.get(name, {}),
                    sources.templates,
                    sources.run,
                )
            ),
        )
