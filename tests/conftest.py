"""What tests share."""

from collections.abc import Iterator

import dask
import pytest


@pytest.fixture
def no_compute() -> Iterator[None]:
    """Make any computation of a dask graph fail."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a lazy path computed")

    with dask.config.set(scheduler=refuse):
        yield
