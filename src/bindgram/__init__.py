"""bindgram: from a genome and ChIP-seq peaks to one honest, evaluated binding model per experiment."""
