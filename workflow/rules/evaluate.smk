"""Scores of models and baselines on the test battery, and their metrics."""


rule predict_scores:
    input:
        bundles=[f"{folder}/{name}" for folder in SEED_FOLDERS for name in MODEL_FILES],
        test_sets=battery_input,
    output:
        predictions=SEED_PREDICTIONS,
    log:
        "results/logs/predict_scores/{model}/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/predict_scores/{model}/{split}/{experiment}/{scheme}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    group:
        PREDICTION_GROUP
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("predict_scores"),
        gpu=GPUS,
    params:
        bundles=lambda wildcards: pairs("--bundle", SEED_FOLDERS, SEED_PREDICTIONS, wildcards),
        test_sets=test_set_options,
        device=device_options,
        settings=dict(revision=REVISIONS["score"]),
    shell:
        "bindgram score {params.bundles} {params.test_sets}"
        " --threads {threads} {params.device} --revision {params.settings[revision]} > {log} 2>&1"


rule evaluate_scores:
    input:
        predictions=SEED_PREDICTIONS,
        homologs=homologs_input,
        tiled=TILED_LABELS,
    output:
        metrics=SEED_METRICS,
    log:
        "results/logs/evaluate_scores/{model}/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/evaluate_scores/{model}/{split}/{experiment}/{scheme}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    group:
        EVALUATION_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        predictions=lambda wildcards: pairs("--predictions", SEED_PREDICTIONS, SEED_METRICS, wildcards),
        homologs=homologs_options,
        settings=EVALUATION_SETTINGS,
    shell:
        "bindgram evaluate {params.predictions} {params.homologs} --tiled {input.tiled}"
        " --replicates {params.settings[bootstrap_replicates]}"
        " --confidence {params.settings[confidence]} --max-block-bp {params.settings[max_block_bp]}"
        " --seed {params.settings[seed]} --revision {params.settings[revision]} > {log} 2>&1"


rule score_baselines:
    input:
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        sanity=ancient("results/qc/{split}/{experiment}/sanity.tsv"),
        motifs=SCANNED_MOTIFS,
        test_sets=battery_input,
        homologs=homologs_input,
        tiled=TILED_LABELS,
    output:
        predictions=BASELINE_PREDICTIONS,
        metrics=BASELINE_METRICS,
    log:
        "results/logs/score_baselines/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/score_baselines/{split}/{experiment}/{scheme}.tsv"
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        baselines=lambda wildcards: baseline_options(QUICK, BASELINE_PREDICTIONS, wildcards),
        motifs=motif_options,
        test_sets=test_set_options,
        homologs=homologs_options,
        predictions=lambda wildcards: pairs("--predictions", BASELINE_PREDICTIONS, BASELINE_METRICS, wildcards),
        settings=dict(
            baselines={name: FITTED[name] for name in QUICK},
            seed=CONFIG.seed,
            baseline_revision=REVISIONS["baseline"],
            evaluation=EVALUATION_SETTINGS,
        ),
    shell:
        "(bindgram baseline {params.baselines} --labelled {input.labelled} {params.motifs} {params.test_sets}"
        " --seed {params.settings[seed]} --threads {threads} --revision {params.settings[baseline_revision]}"
        " && bindgram evaluate {params.predictions} {params.homologs} --tiled {input.tiled}"
        " --replicates {params.settings[evaluation][bootstrap_replicates]}"
        " --confidence {params.settings[evaluation][confidence]}"
        " --max-block-bp {params.settings[evaluation][max_block_bp]} --seed {params.settings[evaluation][seed]}"
        " --revision {params.settings[evaluation][revision]}) > {log} 2>&1"


rule score_gapped_kmers:
    input:
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        sanity=ancient("results/qc/{split}/{experiment}/sanity.tsv"),
        test_sets=battery_input,
        homologs=homologs_input,
        tiled=TILED_LABELS,
    output:
        predictions="results/predictions/{model}/{split}/{experiment}/{scheme}/s{seed}.parquet",
        metrics="results/metrics/{model}/{split}/{experiment}/{scheme}/s{seed}.json",
    log:
        "results/logs/score_gapped_kmers/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/score_gapped_kmers/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model="|".join(GAPPED_KMERS) or "(?!)",  # the latter matches nothing
    conda:
        "../../envs/bio.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
    params:
        baseline=lambda wildcards: baseline_options([wildcards.model], [PREDICTIONS], wildcards),
        test_sets=test_set_options,
        homologs=homologs_options,
        settings=lambda wildcards: dict(
            baseline=FITTED[wildcards.model],
            seed=CONFIG.seed,
            baseline_revision=REVISIONS["baseline"],
            evaluation=EVALUATION_SETTINGS,
        ),
    shell:
        "(bindgram baseline {params.baseline} --labelled {input.labelled} {params.test_sets}"
        " --seed {params.settings[seed]} --threads {threads} --revision {params.settings[baseline_revision]}"
        " && bindgram evaluate --predictions {output.predictions} {output.metrics} {params.homologs} --tiled {input.tiled}"
        " --replicates {params.settings[evaluation][bootstrap_replicates]}"
        " --confidence {params.settings[evaluation][confidence]}"
        " --max-block-bp {params.settings[evaluation][max_block_bp]} --seed {params.settings[evaluation][seed]}"
        " --revision {params.settings[evaluation][revision]}) > {log} 2>&1"


rule score_likelihood:
    input:
        bundle=lambda wildcards: bundle(likelihood_bundle(wildcards)),
        sanity=ancient("results/qc/{split}/{experiment}/sanity.tsv"),
        test_sets=battery_input,
        homologs=homologs_input,
        tiled=TILED_LABELS,
    output:
        predictions="results/predictions/likelihood_{lm}/{split}/{experiment}/{scheme}/s{seed}.parquet",
        metrics="results/metrics/likelihood_{lm}/{split}/{experiment}/{scheme}/s{seed}.json",
    log:
        "results/logs/score_likelihood/likelihood_{lm}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/score_likelihood/likelihood_{lm}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    group:
        PREDICTION_GROUP
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("score_likelihood"),
        gpu=GPUS,
    params:
        bundle=likelihood_bundle,
        test_sets=test_set_options,
        device=device_options,
        homologs=homologs_options,
        settings=dict(score_revision=REVISIONS["score"], evaluation=EVALUATION_SETTINGS),
    shell:
        "(bindgram score --bundle {params.bundle} {output.predictions} {params.test_sets}"
        " --threads {threads} {params.device} --revision {params.settings[score_revision]}"
        " && bindgram evaluate --predictions {output.predictions} {output.metrics} {params.homologs} --tiled {input.tiled}"
        " --replicates {params.settings[evaluation][bootstrap_replicates]}"
        " --confidence {params.settings[evaluation][confidence]}"
        " --max-block-bp {params.settings[evaluation][max_block_bp]} --seed {params.settings[evaluation][seed]}"
        " --revision {params.settings[evaluation][revision]}) > {log} 2>&1"
