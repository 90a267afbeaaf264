"""An installation without torch: all but tensors works, and those say what to install."""

import subprocess
import sys

CODE = '''
import sys
from pathlib import Path

class Without:
    """A finder of modules that finds neither torch nor lightning."""

    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, *args, **kwargs):
        is_hidden = name.partition(".")[0] in ("torch", "lightning")
        return None if is_hidden else self._finder.find_spec(name, *args, **kwargs)


sys.meta_path[:] = map(Without, sys.meta_path)
import yeastxr as yx
from click.testing import CliRunner
from yeastxr.cli import main

folder = Path(sys.argv[1])
ds = yx.simulate(genes=100, bound=[0.1, 0.3], seed=42)
store = yx.save(ds, folder / "sim.zarr")
assert yx.check(yx.open(store)).passed
assert yx.analysis.curves(ds).auroc.size == 2
assert len(ds.yeast.to_dataframe()) == 200
refused = {
    "to_torch": lambda: ds.yeast.to_torch(),
    "xy": lambda: ds.yeast.xy(),
    "batches": lambda: next(iter(ds.yeast.batches(10))),
    "simulated batches": lambda: next(iter(yx.SimulatedBatches(ds.yeast.spec, 10))),
    "samples": lambda: ds.yeast.samples(),
    "streams": lambda: yx.training.BatchStream,
    "export": lambda: ds.yeast.export(folder / "tensor.pt"),
    "lightning": lambda: yx.training.YeastDataModule,
}
for name, call in refused.items():
    try:
        call()
    except yx.InputError as error:
        assert "is not installed; pip install 'yeastxr[" in str(error), (name, error)
    else:
        raise AssertionError(name)
result = CliRunner().invoke(main, ["export", str(store), str(folder / "tensor.pt")])
assert result.exit_code == 2 and "torch is not installed" in result.output, result.output
assert not (folder / "tensor.pt").exists()
result = CliRunner().invoke(main, ["doctor"])
assert "unknown: torch is not installed" in result.output, result.output
print("fine")
'''


def test_all_but_tensors__works_without_torch(tmp_path) -> None:
    command = [sys.executable, "-W", "error", "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "fine", done.stderr
