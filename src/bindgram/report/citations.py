"""Citations of the methods: texts name a work as ``[@key]``, readers see numbers in the order of the text."""

import re
from collections.abc import Iterable, Sequence

REFERENCES = {
    "alipanahi2015": "Alipanahi B, Delong A, Weirauch MT, Frey BJ (2015). Predicting the sequence specificities of "
    "DNA- and RNA-binding proteins by deep learning. Nature Biotechnology 33, 831-838. doi:10.1038/nbt.3300",
    "altschul1985": "Altschul SF, Erickson BW (1985). Significance of nucleotide sequence alignments: a method for "
    "random sequence permutation that preserves dinucleotide and codon usage. Molecular Biology and Evolution 2, "
    "526-538. doi:10.1093/oxfordjournals.molbev.a040370",
    "amemiya2019": "Amemiya HM, Kundaje A, Boyle AP (2019). The ENCODE blacklist: identification of problematic "
    "regions of the genome. Scientific Reports 9, 9354. doi:10.1038/s41598-019-45839-z",
    "delong1988": "DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two or more correlated "
    "receiver operating characteristic curves: a nonparametric approach. Biometrics 44, 837-845. doi:10.2307/2531595",
    "ghandi2014": "Ghandi M, Lee D, Mohammad-Noori M, Beer MA (2014). Enhanced regulatory sequence prediction using "
    "gapped k-mer features. PLoS Computational Biology 10, e1003711. doi:10.1371/journal.pcbi.1003711",
    "howard2018": "Howard J, Ruder S (2018). Universal language model fine-tuning for text classification. ACL, "
    "328-339. doi:10.18653/v1/P18-1031",
    "kunsch1989": "Künsch HR (1989). The jackknife and the bootstrap for general stationary observations. Annals of "
    "Statistics 17, 1217-1241. doi:10.1214/aos/1176347265",
    "lee2016": "Lee D (2016). LS-GKM: a new gkm-SVM for large-scale datasets. Bioinformatics 32, 2196-2198. "
    "doi:10.1093/bioinformatics/btw142",
    "luo2023": "Luo H, Shan W, Chen C, Ding P, Luo L (2023). Improving language model of human genome for DNA-protein "
    "binding prediction based on task-specific pre-training. Interdisciplinary Sciences 15, 32-43. "
    "doi:10.1007/s12539-022-00537-9",
    "matthews1975": "Matthews BW (1975). Comparison of the predicted and observed secondary structure of T4 phage "
    "lysozyme. Biochimica et Biophysica Acta 405, 442-451. doi:10.1016/0005-2795(75)90109-9",
    "merity2018": "Merity S, Keskar NS, Socher R (2018). Regularizing and optimizing LSTM language models. ICLR. "
    "doi:10.48550/arXiv.1708.02182",
    "molder2021": "Mölder F and others (2021). Sustainable data analysis with Snakemake. F1000Research 10, 33. "
    "doi:10.12688/f1000research.29032.2",
    "obuchowski1997": "Obuchowski NA (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53, "
    "567-578. doi:10.2307/2533958",
    "paszke2019": "Paszke A and others (2019). PyTorch: an imperative style, high-performance deep learning library. "
    "NeurIPS 32, 8024-8035. doi:10.48550/arXiv.1912.01703",
    "pedregosa2011": "Pedregosa F and others (2011). Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12, 2825-2830. https://jmlr.org/papers/v12/pedregosa11a.html",
    "quang2016": "Quang D, Xie X (2016). DanQ: a hybrid convolutional and recurrent deep neural network for "
    "quantifying the function of DNA sequences. Nucleic Acids Research 44, e107. doi:10.1093/nar/gkw226",
    "saito2015": "Saito T, Rehmsmeier M (2015). The precision-recall plot is more informative than the ROC plot when "
    "evaluating binary classifiers on imbalanced datasets. PLoS ONE 10, e0118432. doi:10.1371/journal.pone.0118432",
    "steinegger2017": "Steinegger M, Söding J (2017). MMseqs2 enables sensitive protein sequence searching for the "
    "analysis of massive data sets. Nature Biotechnology 35, 1026-1028. doi:10.1038/nbt.3988",
    "wasserman2004": "Wasserman WW, Sandelin A (2004). Applied bioinformatics for the identification of regulatory "
    "elements. Nature Reviews Genetics 5, 276-287. doi:10.1038/nrg1315",
}
_CITED = re.compile(r"\[(@\w+(?:; ?@\w+)*)\]")


def keys_of(text: str) -> list[str]:
    """Keys that a text cites, in its order, each as often as it stands there."""
    return [key.strip().removeprefix("@") for found in _CITED.findall(text) for key in found.split(";")]


def number_citations(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Texts with ``[1, 2]`` for ``[@one; @two]``, and the references in the order of their numbers.

    Raises
    ------
    KeyError : a text cites what `REFERENCES` does not have; a bug of ours.
    """
    texts = list(texts)
    cited = list(dict.fromkeys(key for text in texts for key in keys_of(text)))
    numbers = {key: number for number, key in enumerate(cited, start=1)}

    def written(match: re.Match[str]) -> str:
        return f"[{', '.join(map(str, sorted(numbers[key] for key in keys_of(match[0]))))}]"

    return [_CITED.sub(written, text) for text in texts], [REFERENCES[key] for key in cited]


def reference_lines(references: Sequence[str]) -> list[str]:
    """References as they stand under a text, numbers first."""
    return [f"[{number}] {text}" for number, text in enumerate(references, start=1)]
