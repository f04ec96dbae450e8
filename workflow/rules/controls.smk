"""Controls on variants of the training data: fewer positives, permuted labels. Made only when asked for."""


localrules:
    data_efficiency,
    collect_data_efficiency,
    permuted_control,
    collect_permuted_control,


rule data_efficiency:
    input:
        "results/data_efficiency.tsv",


rule permuted_control:
    input:
        "results/permuted_control.tsv",


rule make_variant:
    input:
        labelled="results/examples/{split}/{experiment}/labelled/{parent}.parquet",
    output:
        labelled="results/examples/{split}/{experiment}/labelled/{parent}-{variant}.parquet",
    log:
        "results/logs/make_variant/{split}/{experiment}/{parent}-{variant}.log",
    benchmark:
        "results/benchmarks/make_variant/{split}/{experiment}/{parent}-{variant}.tsv"
    wildcard_constraints:
        parent=ID,
        variant=VARIANT,
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=dict(seed=CONFIG.seed, revision=REVISIONS["vary"]),
    shell:
        "bindgram vary --experiment {wildcards.experiment} --labelled {input.labelled} --variant {wildcards.variant}"
        " --seed {params.settings[seed]} --output {output.labelled} --revision {params.settings[revision]}"
        " > {log} 2>&1"


rule collect_data_efficiency:
    input:
        sheet=ancient(CONFIG.experiments),
        metrics=per_training(METRICS, schemes=SIZES, baselines=CONFIG.fitted),
        labelled=expand(LABELLED, split=SPLITS, experiment=EXPERIMENTS, scheme=SIZES),
    output:
        metrics="results/data_efficiency.metrics.tsv",
        provenance="results/data_efficiency.metrics.tsv.json",
        table="results/data_efficiency.tsv",
        figure="results/data_efficiency.svg",
    log:
        "results/logs/collect_data_efficiency.log",
    benchmark:
        "results/benchmarks/collect_data_efficiency.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            collected=collect_options(METRICS, EXPERIMENTS, CONFIG.seeds, CONFIG.fitted, SIZES),
            labelled=LABELLED,
            headline=CONFIG.headline.model_dump(),
            collect_revision=REVISIONS["collect"],
            revision=REVISIONS["data-efficiency"],
        ),
    shell:
        "(bindgram collect --experiment-sheet {input.sheet} {params.settings[collected]} --output {output.metrics}"
        " --revision {params.settings[collect_revision]}"
        " && bindgram data-efficiency --metrics {output.metrics} --labelled-template {params.settings[labelled]:q}"
        " --headline-test-set {params.settings[headline][test_set]}"
        " --headline-metric {params.settings[headline][metric]}"
        " --output {output.table} --figure {output.figure} --revision {params.settings[revision]}) > {log} 2>&1"


rule collect_permuted_control:
    input:
        sheet=ancient(CONFIG.experiments),
        metrics=per_training(METRICS, schemes=PERMUTED_SCHEMES, baselines=CONFIG.fitted),
    output:
        metrics="results/permuted_control.metrics.tsv",
        provenance="results/permuted_control.metrics.tsv.json",
        table="results/permuted_control.tsv",
        verdict="results/permuted_control.json",
    log:
        "results/logs/collect_permuted_control.log",
    benchmark:
        "results/benchmarks/collect_permuted_control.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            collected=collect_options(METRICS, EXPERIMENTS, CONFIG.seeds, CONFIG.fitted, PERMUTED_SCHEMES),
            confidence=CONFIG.evaluation.confidence,
            collect_revision=REVISIONS["collect"],
            revision=REVISIONS["permuted-control"],
        ),
    shell:
        "(bindgram collect --experiment-sheet {input.sheet} {params.settings[collected]} --output {output.metrics}"
        " --revision {params.settings[collect_revision]}"
        " && bindgram permuted-control --metrics {output.metrics} --confidence {params.settings[confidence]}"
        " --output {output.table} --verdict {output.verdict} --revision {params.settings[revision]}) > {log} 2>&1"
