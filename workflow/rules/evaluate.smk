"""Scores of models and baselines on the test battery, and their metrics."""


rule predict_scores:
    input:
        bundle=lambda wildcards: bundle(classifier_folder(wildcards)),
        test_sets=battery_input,
    output:
        predictions="results/predictions/{model}/{split}/{experiment}/{scheme}/s{seed}.parquet",
    log:
        "results/logs/predict_scores/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/predict_scores/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    conda:
        "../../envs/train.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        folder=classifier_folder,
        test_sets=test_set_options,
        settings=dict(device=CONFIG.device, revision=REVISIONS["predict"]),
    shell:
        "bindgram predict --bundle {params.folder} {params.test_sets} --output {output.predictions}"
        " --threads {threads} --device {params.settings[device]} --revision {params.settings[revision]} > {log} 2>&1"


rule score_baseline:
    input:
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        test_sets=battery_input,
    output:
        predictions="results/predictions/{baseline}/{split}/{experiment}/{scheme}/s{seed}.parquet",
    log:
        "results/logs/score_baseline/{baseline}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/score_baseline/{baseline}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        baseline=BASELINE_NAMES,
    group:
        "baseline"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        test_sets=test_set_options,
        settings=lambda wildcards: dict(
            **CONFIG.baselines[wildcards.baseline].model_dump(),
            revision=REVISIONS["baseline"],
        ),
    shell:
        "bindgram baseline --name {wildcards.baseline} --k {params.settings[k]}"
        " --inverse-regularisation {params.settings[inverse_regularisation]} --labelled {input.labelled}"
        " {params.test_sets} --output {output.predictions} --revision {params.settings[revision]} > {log} 2>&1"


rule evaluate_scores:
    input:
        predictions="results/predictions/{model}/{split}/{experiment}/{scheme}/s{seed}.parquet",
    output:
        metrics="results/metrics/{model}/{split}/{experiment}/{scheme}/s{seed}.json",
    log:
        "results/logs/evaluate_scores/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/evaluate_scores/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    group:
        "baseline"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            **CONFIG.evaluation.model_dump(),
            seed=CONFIG.seed,
            revision=REVISIONS["evaluate"],
        ),
    shell:
        "bindgram evaluate --predictions {input.predictions} --replicates {params.settings[bootstrap_replicates]}"
        " --confidence {params.settings[confidence]} --max-block-bp {params.settings[max_block_bp]}"
        " --seed {params.settings[seed]} --output {output.metrics} --revision {params.settings[revision]} > {log} 2>&1"
