"""Inventories of other projects' documentation, so that links to their pages need no network at build.

Sphinx wants an ``objects.inv`` for each project. The ones that projects publish are fetched from the network, or grow
old in a repository at some 100 kB each; this table holds the names that our pages speak of, and is written at build.
"""

import zlib
from pathlib import Path

PROJECTS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "python": (
        "https://docs.python.org/3/",
        {
            "bool": ("py:class", "library/functions.html#bool"),
            "dict": ("py:class", "library/stdtypes.html#dict"),
            "float": ("py:class", "library/functions.html#float"),
            "int": ("py:class", "library/functions.html#int"),
            "list": ("py:class", "library/stdtypes.html#list"),
            "object": ("py:class", "library/functions.html#object"),
            "str": ("py:class", "library/stdtypes.html#str"),
            "tuple": ("py:class", "library/stdtypes.html#tuple"),
            "None": ("py:obj", "library/constants.html#None"),
            "IndexError": ("py:exc", "library/exceptions.html#IndexError"),
            "TypeError": ("py:exc", "library/exceptions.html#TypeError"),
            "ValueError": ("py:exc", "library/exceptions.html#ValueError"),
            "FileExistsError": ("py:exc", "library/exceptions.html#FileExistsError"),
            "FileNotFoundError": ("py:exc", "library/exceptions.html#FileNotFoundError"),
            "NotImplementedError": ("py:exc", "library/exceptions.html#NotImplementedError"),
            "BaseException": ("py:exc", "library/exceptions.html#BaseException"),
            "collections.abc.Callable": ("py:class", "library/collections.abc.html#collections.abc.Callable"),
            "collections.abc.Collection": ("py:class", "library/collections.abc.html#collections.abc.Collection"),
            "collections.abc.Hashable": ("py:class", "library/collections.abc.html#collections.abc.Hashable"),
            "collections.abc.Iterable": ("py:class", "library/collections.abc.html#collections.abc.Iterable"),
            "collections.abc.Iterator": ("py:class", "library/collections.abc.html#collections.abc.Iterator"),
            "collections.abc.Mapping": ("py:class", "library/collections.abc.html#collections.abc.Mapping"),
            "collections.abc.Sequence": ("py:class", "library/collections.abc.html#collections.abc.Sequence"),
            "pathlib.Path": ("py:class", "library/pathlib.html#pathlib.Path"),
            "typing.Any": ("py:data", "library/typing.html#typing.Any"),
            "typing.Literal": ("py:data", "library/typing.html#typing.Literal"),
            "typing.NamedTuple": ("py:class", "library/typing.html#typing.NamedTuple"),
            "typing.Unpack": ("py:data", "library/typing.html#typing.Unpack"),
            "typing.Self": ("py:data", "library/typing.html#typing.Self"),
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.ndarray": ("py:class", "reference/generated/numpy.ndarray.html#numpy.ndarray"),
            "numpy.dtype": ("py:class", "reference/generated/numpy.dtype.html#numpy.dtype"),
            "numpy.quantile": ("py:function", "reference/generated/numpy.quantile.html#numpy.quantile"),
            "numpy.uint8": ("py:class", "reference/arrays.scalars.html#numpy.uint8"),
            "numpy.uint64": ("py:class", "reference/arrays.scalars.html#numpy.uint64"),
        },
    ),
    "xarray": (
        "https://docs.xarray.dev/en/stable/",
        {
            "xarray.DataArray": ("py:class", "generated/xarray.DataArray.html#xarray.DataArray"),
            "xarray.Dataset": ("py:class", "generated/xarray.Dataset.html#xarray.Dataset"),
            # What hints are resolved to.
            "xarray.core.dataarray.DataArray": ("py:class", "generated/xarray.DataArray.html#xarray.DataArray"),
            "xarray.core.dataset.Dataset": ("py:class", "generated/xarray.Dataset.html#xarray.Dataset"),
            "xarray.Dataset.sel": ("py:method", "generated/xarray.Dataset.sel.html#xarray.Dataset.sel"),
            "xarray.Dataset.isel": ("py:method", "generated/xarray.Dataset.isel.html#xarray.Dataset.isel"),
            "xarray.Dataset.compute": ("py:method", "generated/xarray.Dataset.compute.html#xarray.Dataset.compute"),
            "xarray.Variable": ("py:class", "generated/xarray.Variable.html#xarray.Variable"),
            "xarray.open_zarr": ("py:function", "generated/xarray.open_zarr.html#xarray.open_zarr"),
        },
    ),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {"pandas.DataFrame": ("py:class", "reference/api/pandas.DataFrame.html#pandas.DataFrame")},
    ),
    "dask": (
        "https://docs.dask.org/en/stable/",
        {
            "dask.array.Array": ("py:class", "generated/dask.array.Array.html#dask.array.Array"),
            "dask.array.blockwise": ("py:function", "generated/dask.array.blockwise.html#dask.array.blockwise"),
        },
    ),
    "distributed": (
        "https://distributed.dask.org/en/stable/",
        {"distributed.Client": ("py:class", "api.html#distributed.Client")},
    ),
    "zarr": (
        "https://zarr.readthedocs.io/en/stable/",
        {"zarr.abc.store.Store": ("py:class", "api/zarr/abc/store/#zarr.abc.store.Store")},
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {
            "torch.Tensor": ("py:class", "tensors.html#torch.Tensor"),
            "torch.load": ("py:function", "generated/torch.load.html#torch.load"),
            "torch.utils.data.DataLoader": ("py:class", "data.html#torch.utils.data.DataLoader"),
            "torch.utils.data.Dataset": ("py:class", "data.html#torch.utils.data.Dataset"),
            "torch.utils.data.IterableDataset": ("py:class", "data.html#torch.utils.data.IterableDataset"),
        },
    ),
    "holoviews": (
        "https://holoviews.org/",
        {
            "holoviews.Image": ("py:class", "reference_manual/holoviews.element.html#holoviews.element.Image"),
            "holoviews.Layout": ("py:class", "reference_manual/holoviews.core.html#holoviews.core.Layout"),
            "holoviews.Overlay": ("py:class", "reference_manual/holoviews.core.html#holoviews.core.Overlay"),
        },
    ),
}


def write(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each project, and return what ``intersphinx_mapping`` wants to know of them."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (url, names) in PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        lines = "".join(f"{name} {role} 1 {page} -\n" for name, (role, page) in sorted(names.items()))
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress(lines.encode()))
        mapping[project] = (url, str(path))
    return mapping
