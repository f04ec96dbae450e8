"""Language models: pretrained on the genome, adapted to the positives of an experiment, a TF or a family.

They go first (`priority`), because whatever starts from them has to wait.
"""


rule pretrain_language_model:
    input:
        language_model=ancient("config/lms/{lm}.yaml"),
        corpus=corpus_input,
    output:
        weights="results/lm/{lm}/{assembly}.{split}/model.safetensors",
        config="results/lm/{lm}/{assembly}.{split}/config.json",
        vocabulary="results/lm/{lm}/{assembly}.{split}/vocabulary.json",
        train_log="results/lm/{lm}/{assembly}.{split}/train_log.tsv",
        card="results/lm/{lm}/{assembly}.{split}/README.md",
    log:
        "results/logs/pretrain_language_model/{lm}/{assembly}.{split}.log",
    benchmark:
        "results/benchmarks/pretrain_language_model/{lm}/{assembly}.{split}.tsv"
    priority: 100
    conda:
        TORCH_ENVIRONMENT
    threads: max(8, 4 * PRETRAINING.gpus_per_node)
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * PRETRAINING.gpus_per_node * attempt,
        runtime=minutes("pretrain_language_model"),
        gpu=GPUS * RANKS if PRETRAINING.nodes == 1 else None,
        # What SLURM has to know besides: that GPUs are on the same node; of several nodes, how many GPUs are on each, and
        # one task for each. With `mpi` Snakemake leaves it to the command to start them.
        nodes=PRETRAINING.nodes if RANKS > 1 else None,
        gres=on_nodes(f"gpu:{PRETRAINING.gpus_per_node}" if GPUS else None),
        tasks=on_nodes(RANKS),
        tasks_per_gpu=on_nodes(0),
        mpi=on_nodes("srun"),
        cpus_per_task=lambda wildcards, threads: on_nodes(pretraining_threads(wildcards, None, threads)),
    params:
        start=start_pretraining,
        threads=pretraining_threads,
        folder=subpath(output.config, parent=True),
        how=training_options,
        settings=lambda wildcards: dict(
            language_model=language_model_settings(wildcards.lm, *READ_ALIKE, "objective", "pretrain"),
            seed=CONFIG.seed,
            revision=REVISIONS["pretrain"],
        ),
    shell:
        "exec {params.start} --language-model {input.language_model} --corpus {input.corpus} --output {params.folder}"
        " --seed {params.settings[seed]} --threads {params.threads} {params.how}"
        " --checkpoints results/checkpoints/{wildcards.lm}/{wildcards.assembly}.{wildcards.split}"
        " --log-folder results/logs/pretrain_language_model/{wildcards.lm}/{wildcards.assembly}.{wildcards.split}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule adapt_language_model:
    input:
        language_model=ancient("config/lms/{lm}.yaml"),
        base=bundle("results/lm/{lm}/{assembly}.{split}"),
        positives=adaptation_files("results/examples/{split}/{experiment}/positives.parquet"),
        sanity=ancient(adaptation_files("results/qc/{split}/{experiment}/sanity.tsv")),
    output:
        weights="results/lm/{lm}/{assembly}.{split}.{group}/model.safetensors",
        config="results/lm/{lm}/{assembly}.{split}.{group}/config.json",
        vocabulary="results/lm/{lm}/{assembly}.{split}.{group}/vocabulary.json",
        train_log="results/lm/{lm}/{assembly}.{split}.{group}/train_log.tsv",
        card="results/lm/{lm}/{assembly}.{split}.{group}/README.md",
    log:
        "results/logs/adapt_language_model/{lm}/{assembly}.{split}.{group}.log",
    benchmark:
        "results/benchmarks/adapt_language_model/{lm}/{assembly}.{split}.{group}.tsv"
    priority: 100
    group:
        TRAINING_GROUP
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("adapt_language_model"),
        gpu=GPUS,
    params:
        base=lambda wildcards: f"results/lm/{wildcards.lm}/{wildcards.assembly}.{wildcards.split}",
        positives=lambda wildcards, input: options("--positives", input.positives),
        folder=subpath(output.config, parent=True),
        how=training_options,
        settings=lambda wildcards: dict(
            language_model=language_model_settings(wildcards.lm, *READ_ALIKE, "objective", "adapt"),
            seed=CONFIG.seed,
            revision=REVISIONS["adapt"],
        ),
    shell:
        "exec bindgram adapt --language-model {input.language_model} --base {params.base} {params.positives}"
        " --output {params.folder} --seed {params.settings[seed]} --threads {threads}"
        " --checkpoints results/checkpoints/{wildcards.lm}/{wildcards.assembly}.{wildcards.split}.{wildcards.group}"
        " --log-folder results/logs/adapt_language_model/{wildcards.lm}/"
        "{wildcards.assembly}.{wildcards.split}.{wildcards.group}"
        " {params.how} --revision {params.settings[revision]} > {log} 2>&1"
