"""Classifiers: one job per model, experiment and scheme of negatives trains all seeds, one after another."""


rule finetune_classifier:
    input:
        unpack(finetune_inputs),
        model=ancient("config/models/{model}.yaml"),
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        sanity=ancient("results/qc/{split}/{experiment}/sanity.tsv"),
    output:
        bundles=[f"{folder}/{name}" for folder in SEED_FOLDERS for name in (*MODEL_FILES, "train_log.tsv")],
    log:
        "results/logs/finetune_classifier/{model}/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/finetune_classifier/{model}/{split}/{experiment}/{scheme}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    group:
        TRAINING_GROUP
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("finetune_classifier"),
        gpu=GPUS,
    params:
        options=finetune_options,
        folder=subpath(output[0], ancestor=2),
        how=training_options,
        settings=lambda wildcards: dict(
            model=model_settings(wildcards.model),
            seeds=CONFIG.seeds,
            revision=REVISIONS["finetune"],
        ),
    shell:
        "exec bindgram finetune --model {input.model} {params.options} --labelled {input.labelled}"
        " --output {params.folder}"
        " --checkpoints results/checkpoints/{wildcards.model}/{wildcards.split}/{wildcards.experiment}/{wildcards.scheme}"
        " --log-folder results/logs/finetune_classifier/{wildcards.model}/{wildcards.split}/"
        "{wildcards.experiment}/{wildcards.scheme}"
        " --threads {threads} {params.how} --revision {params.settings[revision]} > {log} 2>&1"
