"""The catalog of names: the ORFs of yeast, and transcription factors with a known motif."""

from yeastxr.names.catalog import genes, tfs

__all__ = ["genes", "tfs"]
