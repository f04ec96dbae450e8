"""The store for many tasks: labels of all experiments of an assembly on its bins. Made only when asked for."""


localrules:
    store_all,


rule store_all:
    input:
        store_files(),


rule build_store:
    input:
        unpack(store_inputs),
        sheet=ancient(CONFIG.experiments),
        split_file=ancient("config/splits/{split}.yaml"),
    output:
        store="results/store/{assembly}.{split}.b{bin}w{window}.h5",
    log:
        "results/logs/build_store/{assembly}.{split}.b{bin}w{window}.log",
    benchmark:
        "results/benchmarks/build_store/{assembly}.{split}.b{bin}w{window}.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        experiments=lambda wildcards: ",".join(STORE_EXPERIMENTS[wildcards.assembly]),
        blacklist=lambda wildcards, input: " ".join(
            option(f"--{name.replace('_', '-')}", input.get(name)) for name in ("blacklist", "blacklist_record")
        ),
        settings=lambda wildcards: dict(
            columns=store_columns(wildcards),
            labels=CONFIG.store.model_dump(include={"min_overlap", "min_peak_bp", "empty_fraction"}),
            seed=CONFIG.seed,
            blocks=split_blocks(wildcards.split, wildcards.assembly),
            revision=REVISIONS["store"],
        ),
    shell:
        "bindgram store --experiment-sheet {input.sheet} --experiments {params.experiments}"
        " --peaks-template resources/peaks/{{experiment}}.{{format}}.gz"
        " --record-template resources/peaks/{{experiment}}.{{format}}.json"
        " --genome {input.genome} --genome-record {input.genome_record} --assembly {wildcards.assembly}"
        " --split {input.split_file} {params.blacklist} --bin-bp {wildcards.bin} --window-bp {wildcards.window}"
        " --min-overlap {params.settings[labels][min_overlap]} --min-peak-bp {params.settings[labels][min_peak_bp]}"
        " --empty-fraction {params.settings[labels][empty_fraction]} --seed {params.settings[seed]}"
        " --output {output.store} --revision {params.settings[revision]} > {log} 2>&1"
