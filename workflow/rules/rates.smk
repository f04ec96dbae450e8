"""Learning-rate finder: short trainings whose rate grows. Made only when asked for; nothing else reads it."""


localrules:
    find_rates,


rule find_rates:
    input:
        rate_files(),


rule find_language_model_rate:
    input:
        language_model=ancient("config/lms/{lm}.yaml"),
        corpus=corpus_input,
    output:
        table="results/rates/lms/{lm}/{assembly}.{split}.tsv",
        record="results/rates/lms/{lm}/{assembly}.{split}.tsv.json",
    log:
        "results/logs/find_language_model_rate/{lm}/{assembly}.{split}.log",
    benchmark:
        "results/benchmarks/find_language_model_rate/{lm}/{assembly}.{split}.tsv"
    conda:
        TORCH_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=GPUS,
    params:
        device=device_options,
        sweep=SWEEP_OPTIONS,
        settings=lambda wildcards: dict(
            language_model=language_model_settings(wildcards.lm, *READ_ALIKE, "objective", "pretrain"),
            revision=REVISIONS["find-rate"],
        ),
    shell:
        "bindgram find-rate --language-model {input.language_model} --corpus {input.corpus} {params.sweep}"
        " --output {output.table} --threads {threads} {params.device} --revision {params.settings[revision]}"
        " > {log} 2>&1"


rule find_model_rate:
    input:
        unpack(finetune_inputs),
        model=ancient("config/models/{model}.yaml"),
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
    output:
        table="results/rates/models/{model}/{split}/{experiment}/{scheme}.stage{stage}.tsv",
        record="results/rates/models/{model}/{split}/{experiment}/{scheme}.stage{stage}.tsv.json",
    log:
        "results/logs/find_model_rate/{model}/{split}/{experiment}/{scheme}.stage{stage}.log",
    benchmark:
        "results/benchmarks/find_model_rate/{model}/{split}/{experiment}/{scheme}.stage{stage}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
        stage=r"\d+",
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
        gpu=GPUS,
    params:
        options=start_options,
        device=device_options,
        sweep=SWEEP_OPTIONS,
        settings=lambda wildcards: dict(model=model_settings(wildcards.model), revision=REVISIONS["find-rate"]),
    shell:
        "bindgram find-rate --model {input.model} {params.options} --labelled {input.labelled} --stage {wildcards.stage}"
        " {params.sweep} --output {output.table} --threads {threads} {params.device}"
        " --revision {params.settings[revision]} > {log} 2>&1"
