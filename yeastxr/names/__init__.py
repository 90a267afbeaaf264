"""The catalog of names: the ORFs of yeast, and the transcription factors that have a known motif."""

from yeastxr.names.catalog import genes, tfs

__all__ = ["genes", "tfs"]
