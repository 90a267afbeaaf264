"""The tutorial as a command, which prints each step and writes the results to a folder."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from yeastxr.checks import check
from yeastxr.errors import InputError
from yeastxr.export import export
from yeastxr.report import report
from yeastxr.simulation import (
    And,
    Or,
    generate_binding_effects,
    generate_gene_population,
    generate_perturbation_effects,
    generate_pvalues,
    simulate,
)
from yeastxr.storage import save
from yeastxr.training import to_torch

SEED = 42
FILES = ("sim.zarr", "tensor.pt", "qc.html", "qc.png")
POPULATION: dict[str, Any] = {
    "genes": 1000,
    "bound": [0.1, 0.15, 0.2, 0.25, 0.3],
    "n_sample": [1, 1, 2, 2, 4],
}


RELATED_TFS: dict[int, list[Any]] = {
    0: [1],
    1: [8],
    2: [5, 6],
    3: [4],
    4: [5],
    5: [9],
    6: [4],
    7: [1, 4],
    8: [6],
    9: [4],
}


BOOLEAN_RELATIONS: dict[int, list[Any]] = {
    0: [And(3, 4, 8), Or(3, 7), Or(1, 1)],
    1: [And(5, Or(7, 8))],
    2: [],
    3: [Or(7, 9), And(6, 7)],
    4: [And(1, 2)],
    5: [Or(0, 1, 2, 8, 9)],
    6: [And(0, Or(1, 2))],
    7: [Or(2, And(5, 6, 9))],
    8: [],
    9: [And(6, And(3, Or(0, 9)))],
}


METHODS: dict[int, tuple[str, dict[str, Any]]] = {
    1: ("no mean adjustment", {}),
    2: ("means adjusted by binding", {"max_mean_adjustment": 10.0}),
    3: ("means adjusted where related TFs bind", {"max_mean_adjustment": 10.0, "tf_relationships": RELATED_TFS}),
    4: ("means adjusted by boolean relations", {"max_mean_adjustment": 10.0, "tf_relationships": BOOLEAN_RELATIONS}),
}


def run(folder: Path, *, method: int = 2, overwrite: bool = False, echo: Callable[[str], Any] = print) -> None:
    """Run the tutorial and write ``sim.zarr``, ``tensor.pt``, ``qc.html`` and ``qc.png`` for one method to a folder."""
    from yeastxr import plot

    existing = [name for name in FILES if (folder / name).exists()]
    if existing and not overwrite:
        names = ", ".join(existing)
        raise InputError(
            f"folder is {str(folder)!r}, which already contains {names}; choose another path or pass overwrite=True"
        )
    folder.mkdir(parents=True, exist_ok=True)
    echo("Step 1: the genes that each TF binds (1,000 genes, 10 TFs)")
    labels = generate_gene_population(**POPULATION, seed=SEED)
    echo(f"  bound genes of each TF: {', '.join(map(str, labels.sum('gene').values))}")

    echo("Step 2: binding effects and their p-values")
    binding = generate_binding_effects(labels, seed=SEED)
    pvalue = generate_pvalues(binding, seed=SEED)
    echo(f"  mean effect: {_mean(binding, labels):.3f} if bound, {_mean(binding, ~labels):.3f} if not")
    echo(f"  mean p-value: {_mean(pvalue, labels):.3f} if bound, {_mean(pvalue, ~labels):.3f} if not")

    echo("Step 3: perturbation effects and their p-values, with each of the four methods")
    for number, (name, adjustment) in METHODS.items():
        effect = generate_perturbation_effects(labels, binding, **adjustment, seed=SEED)
        bound, unbound = _mean(abs(effect), labels), _mean(abs(effect), ~labels)
        echo(f"  {number}. {name}: mean |effect| {bound:.3f} if bound, {unbound:.3f} if not")

    echo(f"Step 4: one dataset (here with method {method}: {METHODS[method][0]})")
    ds = simulate(**POPULATION, **METHODS[method][1], seed=SEED)  # one call returns the same values
    echo(f"\n{ds!r}\n")
    echo("Checks: the data compared with theory")
    table = check(ds)
    echo(f"\n{table!r}\n")

    echo("Writing")
    store = save(ds, folder / "sim.zarr", overwrite=True)
    echo(f"  {store}: the dataset; ds = yx.open({str(store)!r})")
    if find_spec("torch") is None:
        echo("  no tensor: torch is not installed; pip install 'yeastxr[torch]'")
    else:
        tensor = export(ds, folder / "tensor.pt", overwrite=True)
        echo(f"  {tensor}: a tensor {list(to_torch(ds).shape)} [genes, TFs, features]; torch.load({str(tensor)!r})")
    page = report(ds, folder / "qc.html", checks=table, overwrite=True)
    echo(f"  {page}: the checks and the plots on a self-contained page")
    picture = plot.save(plot.qc(ds), folder / "qc.png", overwrite=True)
    echo(f"  {picture}: the plots")
    if not table.passed:
        raise InputError(f"the checks of the demo's dataset failed: {', '.join(table.failed)}")


def _mean(values: Any, mask: Any) -> float:
    return float(values.where(mask).mean())
