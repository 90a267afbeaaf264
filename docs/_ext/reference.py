"""The pages of the reference, made from the public names: a page for each group of names, and for each public module.

A test compares :func:`list_names` with :func:`list_public`, so a new public name needs a place in a group here.
"""

import importlib
import inspect
from pathlib import Path

import yeastxr

# The names of a group, in the order in which they are used; those without a module are names of `yeastxr`.
GROUPS: dict[str, tuple[str, list[str]]] = {
    "Steps": (
        "The four steps of the tutorial, each a function of labelled arrays.",
        [
            "generate_gene_population",
            "generate_hops",
            "generate_binding_effects",
            "generate_pvalues",
            "generate_responses",
            "generate_perturbation_effects",
            "mask_missing",
            "assemble",
        ],
    ),
    "Relations of TFs": (
        "Conditions for methods 3 and 4.",
        [
            "And",
            "Or",
            "Not",
            "parse_relation",
            "read_relations",
            "adjusted_pairs",
            "simulation.relations.to_json",
            "simulation.relations.from_json",
        ],
    ),
    "Simulations": (
        "Simulate a dataset from one specification.",
        ["simulate", "presets", "Preset", "SimulationSpec", "sweep", "spec_of"],
    ),
    "Fits": (
        "Estimate the parameters of a simulation from data, with standard errors.",
        ["fit_spec", "SpecFit"],
    ),
    "The data model": (
        "Definition and validation of datasets.",
        ["FEATURES", "Feature", "validate", "rename"],
    ),
    "The accessor": (
        "The functions of the package as methods of a dataset, ``ds.yeast``.",
        ["YeastAccessor", "accessor.YeastAnalysis", "accessor.YeastPlots"],
    ),
    "Storage and files": (
        "Save, verify, repair and extend zarr stores; export files for other programs.",
        ["save", "open", "extend", "verify", "Verification", "export", "to_dataframe", "to_anndata"],
    ),
    "Measured data": (
        "Read tables of binding and perturbation data into a dataset.",
        ["from_tables", "TableWarning"],
    ),
    "Tensors": (
        "Torch tensors of shape ``[..., genes, TFs, features]``, and back.",
        ["to_torch", "xy", "Pair", "MaskedPair", "from_torch", "to_dataarray"],
    ),
    "Training": (
        "Exact splits, and batches from memory, dask, stores or a simulation.",
        [
            "split",
            "Batches",
            "SimulatedBatches",
            "training.BatchStream",
            "training.SampleDataset",
            "training.YeastDataModule",
        ],
    ),
    "Checks and reports": (
        "Compare a dataset with its specification.",
        ["check", "CheckTable", "Check", "report"],
    ),
    "The explorer": (
        "A page of a dataset in a notebook or a browser.",
        ["explore.explore", "explore.serve", "explore.Explorer"],
    ),
    "Errors": (
        "All of them are also :class:`ValueError`. Messages say what was wrong and what was expected.",
        [
            "InputError",
            "InputTypeError",
            "SchemaError",
            "StoreError",
            "StoreExistsError",
            "StoreNotFoundError",
        ],
    ),
    "Version": ("", ["__version__"]),
}

# Data have no docstrings of their own: Sphinx would show those of their types.
DATA = {
    "yeastxr.FEATURES": "The five features, in the order of a tensor's last axis, as :class:`yeastxr.Feature`.",
    "yeastxr.__version__": "The version of the package, as a string.",
}

# Modules whose public names are all listed, each on a page of its own.
MODULES = ("analysis", "names", "plot", "qc", "theory")


def list_module(module: str) -> list[str]:
    """Return the public functions and classes of a module; constants are described where they are used."""
    face = importlib.import_module(f"yeastxr.{module}")
    return [name for name in face.__all__ if callable(getattr(face, name))]


def list_public() -> set[str]:
    """Return every public name: those of ``yeastxr``, and those of the modules that are public as a whole."""
    own = {name for name in yeastxr.__all__ if not inspect.ismodule(getattr(yeastxr, name))}
    return own | {f"{module}.{name}" for module in MODULES for name in list_module(module)}


def list_names() -> list[str]:
    """Return the names that the pages list."""
    grouped = [name for _, names in GROUPS.values() for name in names]
    return grouped + [f"{module}.{name}" for module in MODULES for name in list_module(module)]


def _page(title: str, about: str, names: list[str]) -> str:
    summary = "\n".join(f"   {name}" for name in names)
    if title.startswith("yeastxr."):  # the module's own docstring, and a target to link to
        about = f".. automodule:: {title}\n   :no-members:"
    return (
        f"# {title}\n\n```{{eval-rst}}\n{about}\n\n.. currentmodule:: yeastxr\n\n"
        f".. autosummary::\n   :toctree: generated\n   :nosignatures:\n\n{summary}\n```\n"
    )


def write(folder: Path) -> None:
    """Write a page for each group and module, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {title: (about, names) for title, (about, names) in GROUPS.items()}
    for module in MODULES:
        pages[f"yeastxr.{module}"] = ("", [f"{module}.{name}" for name in list_module(module)])
    index = "# Reference\n\nAll public functions and classes, grouped by purpose.\n"
    for title, (about, names) in pages.items():
        file = title.lower().replace(" ", "-").replace(".", "-")
        _write(folder / f"{file}.md", _page(title, about, names))
        summary = "\n".join(f"   {name}" for name in names)
        index += (
            f"\n## [{title}]({file}.md)\n\n```{{eval-rst}}\n.. currentmodule:: yeastxr\n\n"
            f".. autosummary::\n   :nosignatures:\n\n{summary}\n```\n"
        )
    files = "\n".join(title.lower().replace(" ", "-").replace(".", "-") for title in pages)
    _write(folder / "index.md", f"{index}\n```{{toctree}}\n:hidden:\n\n{files}\n```\n")


def _write(path: Path, text: str) -> None:
    """Write a page unless it has that text already: Sphinx reads newer pages again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
