"""What tests share."""

from collections.abc import Iterator

import dask
import pytest
from hypothesis import settings

settings.register_profile("yeastxr", deadline=None, derandomize=True, max_examples=15, print_blob=True)
settings.load_profile("yeastxr")


@pytest.fixture
def no_compute() -> Iterator[None]:
    """Make any computation of a dask graph fail."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a lazy path computed")

    with dask.config.set(scheduler=refuse):
        yield
