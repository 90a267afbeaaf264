"""A feature that is only declared in the schema goes through everything that does not draw or explain values."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

DECLARED = """
import importlib.util, sys
import numpy as np

spec = importlib.util.find_spec("yeastxr")
package = importlib.util.module_from_spec(spec)
source = spec.submodule_search_locations[0] + "/schema.py"
text = open(source).read()
end = text.index('''\\n)\\n\\"\\"\\"The features in the order''')
feature = 'Feature("expression_level", np.dtype("float32"), "expression level", "log2", "Expression", 0, math.inf)'
text = text[:end] + "\\n    " + feature + "," + text[end:]

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "yeastxr.schema":
            return importlib.util.spec_from_file_location(name, source, loader=self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(text, source, "exec"), module.__dict__)

sys.meta_path.insert(0, Finder())
import xarray as xr
import yeastxr as yx
from yeastxr.schema import FEATURES, MEASURES

assert [feature.name for feature in FEATURES][-1] == "expression_level"
rng = np.random.default_rng(1)
dims = ("replicate", "gene", "tf")
arrays = {name: (dims, rng.random((2, 30, 4), np.float32)) for name in MEASURES}
arrays = {"label": (dims, rng.random((2, 30, 4)) < 0.3)} | arrays
coords = {"replicate": [0, 1], "gene": np.arange(30), "tf": list("ABCD"), "feature": [f.name for f in FEATURES]}
ds = yx.validate(xr.Dataset(arrays, coords))
folder = sys.argv[1]
"""

USES = {
    "tensors": """
tensor = yx.to_torch(ds)
assert tensor.shape == (2, 30, 4, 6)
assert (tensor[..., 5].numpy() == ds.expression_level.values).all()
assert yx.from_torch(tensor, like=ds).identical(ds)
assert (yx.to_torch(ds.chunk(tf=2, gene=7), layout="planar") == tensor).all()
assert ds.yeast.to_dataarray().shape == (2, 30, 4, 6)
assert yx.xy(ds, x=["expression_level"], y="binding_effect").x.shape == (2, 30, 4, 1)
assert sum(len(batch.x) for batch in ds.isel(replicate=0, drop=True).yeast.batches(batch_size=7)) == 30
""",
    "stores": """
yx.save(ds.chunk(tf=2), folder + "/a.zarr")
assert yx.open(folder + "/a.zarr").compute().equals(ds)
assert "expression_level" in str(yx.verify(folder + "/a.zarr"))
assert "expression_level" in yx.to_dataframe(ds)
assert yx.export(ds, folder + "/a.csv").exists()
""",
    "summaries": """
for chunked in (ds, ds.chunk(tf=2, gene=7)):
    summary = yx.qc.summarize(chunked).compute()
    assert summary.sizes["quantity"] == 6
    one = summary.sel(quantity="expression_level", label=True).isel(replicate=0, tf=0)
    values = ds.expression_level[0, :, 0].where(ds.label[0, :, 0]).values
    assert np.isclose(one["mean"], np.nanmean(values))
    counts = yx.qc.histogram(chunked, "expression_level").compute()
    assert counts.left[0] == 0
    assert counts.cells.sum() == ds.label.size
    assert yx.qc.histogram_2d(chunked, "expression_level", "binding_effect").compute().cells.sum() == ds.label.size
assert yx.qc.pool(summary)["mean"].sizes == {"quantity": 6, "label": 2}
""",
    "checks-and-plots": """
assert "expression level: range" in {row.name for row in yx.check(ds).rows}
assert "expression level: range" in yx.check(ds.assign(expression_level=-ds.expression_level)).failed
assert len(yx.plot.compare({"a": ds, "b": ds}, "expression_level")) == 2
""",
}


def test_sixth_feature__follows_from_the_schema(tmp_path: Path) -> None:
    code = "".join([DECLARED, *(f"print({use!r})\n{lines}" for use, lines in USES.items())])
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.split()) == (0, list(USES)), done.stderr


@pytest.mark.parametrize(("title", "most"), [("Add a feature to the schema", 9), ("Add a method", 5)])
def test_contributing__lists_few_files_of_the_package(title: str, most: int) -> None:
    page = (ROOT / "docs" / "contributing.md").read_text()
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    files = set(re.findall(r"`([a-z_/]+\.py)`", section))
    own = {name for name in files if not name.startswith("tests/")}
    assert own
    assert len(own) <= most
    assert all((ROOT / "yeastxr" / name).exists() for name in own)
