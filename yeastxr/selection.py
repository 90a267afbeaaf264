"""What a picture is of: TFs and genes chosen by label, and words that say so."""

import re
from collections.abc import Hashable, Iterable
from typing import Any

import xarray as xr

from yeastxr.arguments import InputError, shown, suggestion
from yeastxr.elements import WORDS
from yeastxr.schema import GENE, TF, SchemaError

Labels = Hashable | Iterable[Hashable] | slice | None

_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;+*/()'-]{1,24}")  # no font lacks these, and no library reads them as markup


def select(ds: xr.Dataset, tf: Labels, gene: Labels) -> tuple[xr.Dataset, str]:
    """Return what is asked for of a dataset, and words for the titles that say so."""
    words = []
    for dim, asked in ((TF, tf), (GENE, gene)):
        if asked is None:
            continue
        if not isinstance(ds, xr.Dataset) or dim not in ds.indexes:
            raise SchemaError(f"ds has no index coordinate {dim!r} to select by; expected a yeastxr dataset")
        index = ds.indexes[dim]
        labels = _labels(index, asked, dim)
        if not labels:
            found = f"{dim} is {shown(asked)}, with no label in it"
            raise InputError(f"{found}; expected a label, a list or a slice of them")
        places = index.get_indexer(labels)
        for label, place in zip(labels, places, strict=True):
            if place < 0 or isinstance(label, bool):
                raise InputError(f"{dim} is {shown(label)}, which is not known; {suggestion(label, index)}")
        ds = ds.isel({dim: list(dict.fromkeys(places))})
        plain = len(labels) == 1 and _PLAIN.fullmatch(str(labels[0]))
        words.append(f"{WORDS[dim]} {labels[0]}" if plain else f"{ds.sizes[dim]:,} of {len(index):,} {WORDS[dim]}s")
    return ds, ", ".join(words)


def _labels(index: Any, asked: Any, dim: str) -> list[Any]:
    """Return what is asked for as a list of labels; slices are by label, both ends included, as in xarray."""
    if isinstance(asked, slice):
        try:
            return list(index[index.slice_indexer(asked.start, asked.stop, asked.step)])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{dim} is {asked}; expected a slice from one label to another") from None
    return list(asked) if isinstance(asked, Iterable) and not isinstance(asked, str) else [asked]
