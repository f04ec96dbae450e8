"""The table of all metrics, the figures and the report."""


# These three take seconds, and their lists of files are longer than a job's command may be.
localrules:
    collect_metrics,
    write_report,
    report_available,


rule collect_metrics:
    input:
        sheet=ancient(CONFIG.experiments),
        metrics=per_training(METRICS),
    output:
        table=report(
            "results/metrics.tsv",
            category="1. Results",
            caption="../report/summary.rst",
            labels={"content": "table of all metrics (to download)"},
        ),
        provenance="results/metrics.tsv.json",
        definitions="results/metric_definitions.tsv",
    log:
        "results/logs/collect_metrics.log",
    benchmark:
        "results/benchmarks/collect_metrics.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            collected=COLLECTED,
            experiments={row.experiment: [row.tf, row.biosample] for row in PROJECT.selected.values()},
            revision=REVISIONS["collect"],
        ),
    shell:
        "bindgram collect --experiment-sheet {input.sheet} {params.settings[collected]} --output {output.table}"
        " --definitions {output.definitions} --revision {params.settings[revision]} > {log} 2>&1"


rule plot_experiment:
    input:
        predictions=of_experiment(PREDICTIONS, baselines=BASELINES),
        metrics=of_experiment(METRICS, baselines=BASELINES),
        train_logs=of_experiment(TRAIN_LOG, baselines=[]),
        language_model_logs=lambda wildcards: list(language_model_logs(wildcards).values()),
        positives=POSITIVES,
        negatives=NEGATIVES,
        test_sets=battery_input,
        peaks=lambda wildcards: peaks_input(wildcards) if row(wildcards).has_coordinates else [],
        tss=tss_input,
        sanity=ancient("results/qc/{split}/{experiment}/sanity.tsv"),
    output:
        panel="results/report/panels/{split}/{experiment}/{scheme}.json",
        curves=report(
            "results/report/figures/{split}/{experiment}/{scheme}/curves.svg",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/curves.rst",
            labels=figure_labels("ROC and precision-recall curves"),
        ),
        scores=report(
            "results/report/figures/{split}/{experiment}/{scheme}/scores.svg",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/scores.rst",
            labels=figure_labels("scores of bound and unbound sequences"),
        ),
        learning=report(
            "results/report/figures/{split}/{experiment}/{scheme}/learning.svg",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/learning.rst",
            labels=figure_labels("learning curves"),
        ),
        distributions=report(
            "results/report/figures/{split}/{experiment}/{scheme}/distributions.svg",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/distributions.rst",
            labels=figure_labels("what positives and negatives are like"),
        ),
    log:
        "results/logs/plot_experiment/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/plot_experiment/{split}/{experiment}/{scheme}.tsv"
    group:
        EVALUATION_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        results=lambda wildcards, input: " ".join(
            f"--result {predictions.split('/')[2]} {predictions} {metrics}"
            for predictions, metrics in zip(input.predictions, input.metrics)
        ),
        train_logs=lambda wildcards, input: options(
            "--train-log", (f"{path.split('/')[2]}={path}" for path in input.train_logs)
        ),
        language_model_logs=lambda wildcards: options(
            "--train-log",
            (f"{name}={path}" for name, path in language_model_logs(wildcards).items()),
        ),
        examples=lambda wildcards, input: options("--negatives", example_sets(input)),
        tss=lambda wildcards, input: option("--tss", input.tss),
        peaks=lambda wildcards, input: f"--peaks {input.peaks.split('.')[-2]} {input.peaks}" if input.peaks else "",
        settings=lambda wildcards: dict(
            title=figure_title(wildcards),
            facts=options("--fact", panel_facts(wildcards)),
            headline=CONFIG.headline.test_set,
            revision=REVISIONS["plot"],
            panel_revision=REVISIONS["panel"],
        ),
    shell:
        "(bindgram plot --experiment {wildcards.experiment} --title {params.settings[title]:q}"
        " {params.results} {params.train_logs} {params.language_model_logs}"
        " --positives {input.positives} {params.examples} {params.tss} {params.peaks}"
        " --headline {params.settings[headline]}"
        " --curves {output.curves} --scores {output.scores} --learning {output.learning}"
        " --distributions {output.distributions} --revision {params.settings[revision]}"
        " && bindgram panel {params.settings[facts]}"
        " {params.results} {params.train_logs} {params.language_model_logs}"
        " --positives {input.positives} {params.examples} {params.peaks} --sanity {input.sanity}"
        " --headline {params.settings[headline]} --output {output.panel}"
        " --revision {params.settings[panel_revision]}) > {log} 2>&1"


rule write_report:
    input:
        metrics="results/metrics.tsv",
        provenance="results/metrics.tsv.json",
        filter_tables=filter_tables(),
        audits=expand(AUDIT, split=SPLITS, experiment=EXPERIMENTS),
        panels=expand(PANEL, split=SPLITS, experiment=EXPERIMENTS, scheme=SCHEMES),
        comparison="results/comparison.json",
        interpretations=interpretations(),
        tiles=list(report_tiles().values()),
        sheet=ancient(CONFIG.experiments),
        tiled=tiled_in_report(),
    output:
        page=report(
            "results/report/index.html",
            category="1. Results",
            caption="../report/index.rst",
            labels={"content": "all results: one page, start here"},
        ),
        methods="results/report/methods.md",
        record="results/report/reproducibility.json",
    log:
        "results/logs/write_report.log",
    benchmark:
        "results/benchmarks/write_report.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            sources=REPORT_SOURCES,
            rows=SHEET_DIGEST,
            config=CONFIG.model_dump_json(),
            revision=REVISIONS["report"],
        ),
    shell:
        "bindgram report --metrics {input.metrics} --comparison {input.comparison} {params.settings[sources]}"
        " --experiment-sheet {input.sheet} --config-json {params.settings[config]:q} --output {output.page}"
        " --methods {output.methods} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule report_available:
    output:
        table="results/report/available/metrics.tsv",
        provenance="results/report/available/metrics.tsv.json",
        page="results/report/available/index.html",
    log:
        "results/logs/report_available.log",
    benchmark:
        "results/benchmarks/report_available.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            collected=COLLECTED,
            sheet=CONFIG.experiments,
            logs=options("--log-template", LOG_TEMPLATES),
            sources=REPORT_SOURCES,
            config=CONFIG.model_dump_json(),
            revision=REVISIONS["collect"],
            report_revision=REVISIONS["report"],
            # What is available changes behind Snakemake's back: this rule runs whenever it is asked for.
            requested_at=time.time_ns(),
        ),
    shell:
        "(bindgram collect --experiment-sheet {params.settings[sheet]:q} {params.settings[collected]} --missing-as-failed"
        " {params.settings[logs]} --output {output.table} --revision {params.settings[revision]}"
        " && bindgram report --metrics {output.table} --comparison results/comparison.json {params.settings[sources]}"
        " --experiment-sheet {params.settings[sheet]:q} --config-json {params.settings[config]:q} --output {output.page}"
        " --revision {params.settings[report_revision]}) > {log} 2>&1"
