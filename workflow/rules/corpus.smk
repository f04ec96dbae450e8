"""k-mer tokenization: the genome's training and validation regions as a corpus for language models."""


rule tokenize_genome:
    input:
        unpack(mask_inputs),
        genome="resources/assemblies/{assembly}/genome.fa",
        fai="resources/assemblies/{assembly}/genome.fa.fai",
        record="resources/assemblies/{assembly}/genome.json",
        split_file=ancient("config/splits/{split}.yaml"),
    output:
        corpus="results/corpus/{assembly}.{split}.k{k}s{stride}.h5",
    log:
        "results/logs/tokenize_genome/{assembly}.{split}.k{k}s{stride}.log",
    benchmark:
        "results/benchmarks/tokenize_genome/{assembly}.{split}.k{k}s{stride}.tsv"
    priority: 100
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        masks=mask_options,
        settings=lambda wildcards: dict(
            chunk_bp=CONFIG.corpus.chunk_bp,
            min_contig_bp=CONFIG.corpus.min_contig_bp,
            blocks=split_blocks(wildcards.split, wildcards.assembly),
            masked=[row.experiment for row in masked_on(wildcards)],
            revision=REVISIONS["tokenize"],
        ),
    shell:
        "bindgram tokenize --genome {input.genome} --assembly {wildcards.assembly} --split {input.split_file}"
        " --k {wildcards.k} --stride {wildcards.stride} --chunk-bp {params.settings[chunk_bp]}"
        " --min-contig-bp {params.settings[min_contig_bp]} {params.masks} --record {input.record}"
        " --output {output.corpus}"
        " --revision {params.settings[revision]} > {log} 2>&1"
