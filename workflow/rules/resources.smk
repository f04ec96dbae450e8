"""Assemblies, blacklists, peaks and known motifs: fetched, verified, indexed.

The fetch rules run where Snakemake runs, because compute nodes of a cluster often have no internet; the profile limits
`downloads` at a time.
"""


localrules:
    fetch_all,
    fetch_genome,
    fetch_blacklist,
    fetch_repeats,
    fetch_genes,
    fetch_peaks,
    fetch_source,
    extract_peaks,
    fetch_held_out_sequences,
    fetch_signal,


rule fetch_all:
    input:
        genomes=expand(
            "resources/assemblies/{assembly}/genome.fa",
            assembly=sorted({row.assembly for row in PROJECT.selected.values()}),
        ),
        blacklists=[
            f"resources/assemblies/{assembly}/blacklist.bed"
            for assembly in sorted({row.assembly for row in PROJECT.selected.values()})
            if PROJECT.assemblies[assembly].blacklist
        ],
        repeats=[
            f"resources/assemblies/{assembly}/repeats.bed"
            for assembly in sorted({row.assembly for row in PROJECT.selected.values()})
            if PROJECT.assemblies[assembly].repeats
        ],
        genes=[
            f"resources/assemblies/{assembly}/tss.bed"
            for assembly in sorted({row.assembly for row in PROJECT.selected.values()})
            if PROJECT.assemblies[assembly].genes
        ],
        peaks=[peaks_input(row) for row in (PROJECT.selected | OTHERS).values()],
        open_chromatin=sorted(
            {open_chromatin(row) for row in PROJECT.selected.values() if row.accessibility}
            if "accessible_unbound" in CONFIG.schemes_in_use()
            else ()
        ),
        held_out=[file for row in PROJECT.selected.values() for file in held_out_inputs(row).values()],
        signals=[
            f"resources/signal/{row.experiment}.bigWig"
            for row in PROJECT.selected.values()
            if row.signal and row.has_coordinates and CONFIG.qc.signal
        ],


rule fetch_genome:
    input:
        source=lambda wildcards: local(assembly_row(wildcards).fasta),
        chrom_sizes=lambda wildcards: local(assembly_row(wildcards).chrom_sizes),
    output:
        genome="resources/assemblies/{assembly}/genome.fa",
        record="resources/assemblies/{assembly}/genome.json",
    log:
        "results/logs/fetch_genome/{assembly}.log",
    benchmark:
        "results/benchmarks/fetch_genome/{assembly}.tsv"
    priority: 100
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=assembly_row(wildcards).fasta,
            checksum=option("--checksum", assembly_row(wildcards).fasta_checksum),
            chrom_sizes=option("--chrom-sizes", assembly_row(wildcards).chrom_sizes),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind fasta --source {params.settings[source]:q} {params.settings[checksum]}"
        " {params.settings[chrom_sizes]} --output {output.genome} --record {output.record}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_blacklist:
    input:
        source=lambda wildcards: local(assembly_row(wildcards).blacklist),
    output:
        regions="resources/assemblies/{assembly}/blacklist.bed",
        record="resources/assemblies/{assembly}/blacklist.json",
    log:
        "results/logs/fetch_blacklist/{assembly}.log",
    benchmark:
        "results/benchmarks/fetch_blacklist/{assembly}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=assembly_row(wildcards).blacklist,
            checksum=option("--checksum", assembly_row(wildcards).blacklist_checksum),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind bed --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.regions} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_repeats:
    input:
        source=lambda wildcards: local(assembly_row(wildcards).repeats),
    output:
        regions="resources/assemblies/{assembly}/repeats.bed",
        record="resources/assemblies/{assembly}/repeats.json",
    log:
        "results/logs/fetch_repeats/{assembly}.log",
    benchmark:
        "results/benchmarks/fetch_repeats/{assembly}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=assembly_row(wildcards).repeats,
            checksum=option("--checksum", assembly_row(wildcards).repeats_checksum),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind bed --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.regions} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_genes:
    input:
        source=lambda wildcards: local(assembly_row(wildcards).genes),
    output:
        sites="resources/assemblies/{assembly}/tss.bed",
        record="resources/assemblies/{assembly}/tss.json",
    log:
        "results/logs/fetch_genes/{assembly}.log",
    benchmark:
        "results/benchmarks/fetch_genes/{assembly}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=assembly_row(wildcards).genes,
            checksum=option("--checksum", assembly_row(wildcards).genes_checksum),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind genes --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.sites} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_peaks:
    output:
        peaks="resources/peaks/{experiment}.{format}.gz",
        record="resources/peaks/{experiment}.{format}.json",
    log:
        "results/logs/fetch_peaks/{experiment}.{format}.log",
    benchmark:
        "results/benchmarks/fetch_peaks/{experiment}.{format}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=row(wildcards).peaks,
            state=local_state(row(wildcards).peaks),
            checksum=option("--checksum", row(wildcards).peaks_checksum),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind peaks --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.peaks} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_source:
    output:
        source="resources/sources/{key}.{kind}",
        record="resources/sources/{key}.{kind}.json",
    log:
        "results/logs/fetch_source/{key}.{kind}.log",
    benchmark:
        "results/benchmarks/fetch_source/{key}.{kind}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=shared_source(wildcards)[0],
            state=local_state(shared_source(wildcards)[0]),
            checksum=option("--checksum", shared_source(wildcards)[1]),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind {wildcards.kind} --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.source} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule extract_peaks:
    input:
        unpack(extract_inputs),
    output:
        peaks="resources/peaks/{experiment}.extracted.gz",
        record="resources/peaks/{experiment}.extracted.json",
    log:
        "results/logs/extract_peaks/{experiment}.log",
    benchmark:
        "results/benchmarks/extract_peaks/{experiment}.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        chain=lambda wildcards, input: " ".join(
            option(f"--{name.replace('_', '-')}", input.get(name)) for name in ("chain", "chain_record", "chrom_sizes")
        ),
        settings=lambda wildcards: dict(
            format=row(wildcards).format,
            tf=row(wildcards).tf,
            biosample=row(wildcards).biosample,
            peak_name=option("--peak-name", row(wildcards).peak_name),
            lift_from=option("--lift-from", row(wildcards).lift_from),
            revision=REVISIONS["extract"],
        ),
    shell:
        "bindgram extract --experiment {wildcards.experiment} --source {input.source}"
        " --source-record {input.source_record} --format {params.settings[format]} --tf {params.settings[tf]}"
        " --biosample {params.settings[biosample]:q} {params.settings[peak_name]} {params.chain}"
        " {params.settings[lift_from]} --output {output.peaks} --record {output.record}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_held_out_sequences:
    output:
        sequences="resources/peaks/{experiment}.{part}.{format}.gz",
        record="resources/peaks/{experiment}.{part}.{format}.json",
    log:
        "results/logs/fetch_held_out_sequences/{experiment}.{part}.{format}.log",
    benchmark:
        "results/benchmarks/fetch_held_out_sequences/{experiment}.{part}.{format}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=held_out_source(wildcards)[0],
            state=local_state(held_out_source(wildcards)[0]),
            checksum=option("--checksum", held_out_source(wildcards)[1]),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind peaks --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.sequences} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule fetch_signal:
    output:
        signal="resources/signal/{experiment}.bigWig",
        record="resources/signal/{experiment}.json",
    log:
        "results/logs/fetch_signal/{experiment}.log",
    benchmark:
        "results/benchmarks/fetch_signal/{experiment}.tsv"
    retries: 0
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        downloads=1,
    params:
        settings=lambda wildcards: dict(
            source=row(wildcards).signal,
            state=local_state(row(wildcards).signal),
            checksum=option("--checksum", row(wildcards).signal_checksum),
            revision=REVISIONS["fetch"],
        ),
    shell:
        "bindgram fetch --kind bigWig --source {params.settings[source]:q} {params.settings[checksum]}"
        " --output {output.signal} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule prepare_motifs:
    input:
        file=[] if CONFIG.motifs.file is None else CONFIG.motifs.file,
    output:
        motifs="resources/motifs/{library}.meme",
        record="resources/motifs/{library}.json",
    log:
        "results/logs/prepare_motifs/{library}.log",
    benchmark:
        "results/benchmarks/prepare_motifs/{library}.tsv"
    wildcard_constraints:
        library=CONFIG.motifs.library,
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        file=lambda wildcards, input: option("--file", input.file),
        settings=dict(
            tax_groups=options("--tax-group", CONFIG.motifs.tax_groups) if CONFIG.motifs.file is None else "",
            revision=REVISIONS["motifs"],
        ),
    shell:
        "bindgram motifs --library {wildcards.library} {params.settings[tax_groups]} {params.file}"
        " --output {output.motifs} --record {output.record} --revision {params.settings[revision]} > {log} 2>&1"


rule index_genome:
    input:
        genome="resources/assemblies/{assembly}/genome.fa",
        record="resources/assemblies/{assembly}/genome.json",
    output:
        fai="resources/assemblies/{assembly}/genome.fa.fai",
        chrom_sizes="resources/assemblies/{assembly}/chrom.sizes",
    log:
        "results/logs/index_genome/{assembly}.log",
    benchmark:
        "results/benchmarks/index_genome/{assembly}.tsv"
    priority: 100
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(revision=REVISIONS["index"]),
    shell:
        "bindgram index --genome {input.genome} --record {input.record} --fai {output.fai}"
        " --chrom-sizes {output.chrom_sizes} --revision {params.settings[revision]} > {log} 2>&1"
