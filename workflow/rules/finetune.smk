"""Classifiers: one per model, experiment, scheme of negatives and seed."""


rule finetune_classifier:
    input:
        model=ancient("config/models/{model}.yaml"),
        language_model=ancient(language_model_file),
        pretrained=pretrained_input,
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
    output:
        weights="results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/model.safetensors",
        config="results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/config.json",
        vocabulary="results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/vocabulary.json",
        train_log="results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/train_log.tsv",
        card="results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/README.md",
    log:
        "results/logs/finetune_classifier/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/finetune_classifier/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    conda:
        "../../envs/train.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        language_model=lambda wildcards, input: option("--language-model", input.language_model),
        pretrained=lambda wildcards: option("--pretrained", pretrained_folder(wildcards)),
        folder=subpath(output.config, parent=True),
        settings=lambda wildcards: dict(
            model=model_settings(wildcards.model),
            device=CONFIG.device,
            revision=REVISIONS["finetune"],
        ),
    shell:
        "bindgram finetune --model {input.model} {params.language_model} {params.pretrained}"
        " --labelled {input.labelled} --output {params.folder} --seed {wildcards.seed} --threads {threads}"
        " --device {params.settings[device]} --revision {params.settings[revision]} > {log} 2>&1"
