"""The explorer in a notebook."""

import json

import nbclient
import nbformat

CODE = (
    """
import yeastxr as yx
from yeastxr.explore.views import overview
overview.MOST_READ_UNASKED = 0  # its plots take most of the time
ds = yx.simulate(genes=200, bound=[0.1, 0.3], tfs=["GAL4", "MIG1"], seed=42, replicates=2)
page = ds.yeast.explore()
page.go(view="sweep")  # one plot
page
""",
    """
page.go(view="overview")
page.state.view, len(ds.yeast.explore().state.to_query(page.source))
""",
)


def test_page__displays_itself_below_a_cell() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CODE])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [
        output for output in notebook.cells[0].outputs if output.output_type in ("display_data", "execute_result")
    ]
    page = [output.data for output in outputs if "application/vnd.holoviews_exec.v0+json" in output.data]
    assert page
    text = json.dumps(page)
    assert "Navigation" in text
    assert "http://" not in text.replace("http://www.w3.org", "") or "cdn" not in text
    assert "('overview'" in notebook.cells[1].outputs[-1].data["text/plain"]
    assert not [output for cell in notebook.cells for output in cell.outputs if output.get("name") == "stderr"]
