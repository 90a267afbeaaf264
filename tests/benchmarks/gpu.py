"""Tensors and batches on a GPU: against torch's own ways there, and against a model that waits for nothing."""

import sys
from collections.abc import Callable

import torch

from tests.benchmarks.common import Row, by_turns, ms, print_row, simulate


def compare_devices(device: str = "cuda", genes: int = 6600, tfs: int = 2000) -> list[Row]:
    """Time tensors to a device, and training on batches that arrive there; nothing where there is no such GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        print("no CUDA GPU here: the part on GPUs is left out", flush=True)
        return []
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU, as a trial"
    print(f"on {name}", flush=True)
    return [*_compare_tensors(device, genes, tfs), *_compare_epochs(device, genes, tfs)]


def _wait(device: str, work: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does the work and waits until the device has done it, too."""

    def run() -> None:
        work()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def _compare_tensors(device: str, genes: int, tfs: int) -> list[Row]:
    ds = simulate(genes, tfs)
    columns = [torch.from_numpy(ds[name].values) for name in ds.data_vars]
    planes = torch.empty(sum(column.nbytes for column in columns), dtype=torch.uint8, pin_memory=device == "cuda")
    out = ds.yeast.to_torch(device=device)
    rivals: dict[str, Callable[[], object]] = {
        "torch.stack(columns).to(device)": lambda: torch.stack([c.float() for c in columns], -1).to(device),
        "torch.stack of columns moved one by one": lambda: torch.stack([c.to(device).float() for c in columns], -1),
        "copying the same bytes from pinned memory": lambda: planes.to(device, non_blocking=True),
    }
    works: list[Callable[[], object]] = [
        lambda: ds.yeast.to_torch(device=device),
        lambda: ds.yeast.to_torch(out=out),
        *rivals.values(),
    ]
    new, old, *others = by_turns(*(_wait(device, work) for work in works))
    size = f"{genes:,} x {tfs:,}"
    return [
        (f"to_torch({into}) against {rival}, {size}", ms(ours), ms(other), f"{other / ours:.2f}")
        for into, ours in (("device", new), ("out=...", old))
        for rival, other in zip(rivals, others, strict=True)
    ]


def _compare_epochs(device: str, genes: int, tfs: int) -> list[Row]:
    """Time an epoch of a small model on batches, and the same steps on one batch that is there already."""
    ds = simulate(genes, tfs, replicates=2)
    batches = ds.yeast.batches(512, shuffle=True, seed=1, device=device)
    model = torch.nn.Sequential(torch.nn.Linear(tfs, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, tfs)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    pairs = list(batches)

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()

    def train(source: object) -> None:
        for x, y in source:
            step(x, y)

    loaded, resident, read = by_turns(
        _wait(device, lambda: train(batches)),
        _wait(device, lambda: train(pairs)),
        _wait(device, lambda: [None for _ in batches]),
        times=3,
    )
    size = f"2 x {genes:,} x {tfs:,}"
    moved = sum(x.nbytes + y.nbytes for x, y in pairs)
    return [
        (
            f"an epoch on batches against one on tensors there, {size}",
            ms(loaded),
            ms(resident),
            f"{resident / loaded:.2f}",
        ),
        (f"batches alone, {size}", f"{ms(read)} ({moved / read / 1e9:.1f} GB/s)", "", ""),
    ]


if __name__ == "__main__":
    for row in compare_devices(*sys.argv[1:2]):
        print_row(row)
