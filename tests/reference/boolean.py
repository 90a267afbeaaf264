"""Relations of TFs for tests: random ones, and their evaluation for one gene in plain Python."""

from hypothesis import strategies as st

from yeastxr import And, Not, Or


def holds(entry: object, bound: set) -> bool:
    """Evaluate a condition for one gene, given the TFs that bind it."""
    if isinstance(entry, And):
        return all(holds(e, bound) for e in entry.entries)
    if isinstance(entry, Or):
        return any(holds(e, bound) for e in entry.entries)
    if isinstance(entry, Not):
        return not holds(entry.entries[0], bound)
    return entry in bound


def conditions(tfs: list) -> st.SearchStrategy:
    """Return conditions on TFs, nested at will."""

    def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
        entries = st.lists(inner, min_size=1, max_size=4)
        return entries.map(lambda e: And(*e)) | entries.map(lambda e: Or(*e)) | inner.map(Not)

    return st.recursive(st.sampled_from(tfs), nested, max_leaves=12)


def relationships(tfs: list) -> st.SearchStrategy[dict]:
    """Return relationships of TFs; lists may be empty."""
    return st.dictionaries(st.sampled_from(tfs), st.lists(conditions(tfs), max_size=3), max_size=len(tfs))


def nested_conditions(tfs: list, depth: int) -> st.SearchStrategy:
    """Return conditions on TFs, nested to a largest depth, with repeats."""
    inner = st.sampled_from(tfs)
    for _ in range(depth):
        entries = st.lists(inner, min_size=1, max_size=3)
        inner = st.sampled_from(tfs) | entries.map(lambda e: And(*e)) | entries.map(lambda e: Or(*e)) | inner.map(Not)
    return inner
