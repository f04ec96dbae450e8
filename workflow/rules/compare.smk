"""Models against each other: pairs on the test sets of one experiment, and all of them over experiments and TFs."""


localrules:
    compare_models,  # takes seconds, and its list of files is longer than a job's command may be


rule compare_pairs:
    input:
        predictions=of_experiment(PREDICTIONS, baselines=BASELINES),
    output:
        pairs="results/pairs/{split}/{experiment}/{scheme}.tsv",
        provenance="results/pairs/{split}/{experiment}/{scheme}.tsv.json",
    log:
        "results/logs/compare_pairs/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/compare_pairs/{split}/{experiment}/{scheme}.tsv"
    group:
        EVALUATION_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        results=pair_results,
        settings=dict(
            models=",".join(CONFIG.models),
            **CONFIG.evaluation.model_dump(),
            seed=CONFIG.seed,
            revision=REVISIONS["pairs"],
        ),
    shell:
        "bindgram pairs {params.results} --models {params.settings[models]}"
        " --replicates {params.settings[bootstrap_replicates]} --confidence {params.settings[confidence]}"
        " --max-block-bp {params.settings[max_block_bp]} --seed {params.settings[seed]}"
        " --output {output.pairs} --revision {params.settings[revision]} > {log} 2>&1"


rule compare_models:
    input:
        sheet=ancient(CONFIG.experiments),
        pairs=expand(PAIRS, split=SPLITS, experiment=EXPERIMENTS, scheme=SCHEMES),
        provenance=expand(f"{PAIRS}.json", split=SPLITS, experiment=EXPERIMENTS, scheme=SCHEMES),
    output:
        comparison="results/comparison.json",
        table="results/comparison.tsv",
        experiment_table="results/comparison_experiments.tsv",
        figure=report(
            "results/comparison.svg",
            category="1. Results",
            caption="../report/comparison.rst",
            labels={"content": "which models differ over TFs (average ranks)"},
        ),
    log:
        "results/logs/compare_models.log",
    benchmark:
        "results/benchmarks/compare_models.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            compared=COMPARED,
            experiments={row.experiment: [row.tf, row.biosample] for row in PROJECT.selected.values()},
            revision=REVISIONS["compare-models"],
        ),
    shell:
        "bindgram compare-models --experiment-sheet {input.sheet} {params.settings[compared]}"
        " --output {output.comparison} --table {output.table} --experiment-table {output.experiment_table}"
        " --figure {output.figure} --revision {params.settings[revision]} > {log} 2>&1"
