"""Dataset cards beside long tables."""

from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

import yeastxr as yx
from tests.export.common import simulate_measured

TYPES = {"int64": "int64", "int32": "int32", "string": "string", "float": "float32", "bool": "bool"}


def test_card__lists_the_columns_of_the_table(tmp_path: Path) -> None:
    path = yx.export(simulate_measured(), tmp_path / "sim.parquet", card=True)
    head, text = (tmp_path / "README.md").read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n")
    [config] = yaml.safe_load(head)["configs"]
    assert config["data_files"] == [{"split": "train", "path": "sim.parquet"}]
    assert config["dataset_type"] == "annotated_features"
    fields = config["dataset_info"]["features"]
    schema = pyarrow.parquet.read_schema(path)
    assert [(field["name"], field["dtype"]) for field in fields] == [(f.name, TYPES[str(f.type)]) for f in schema]
    roles = {field["name"]: field.get("role") for field in fields}
    assert roles["regulator_symbol"] == "regulator_identifier"
    assert roles["target_locus_tag"] == "target_identifier"
    assert roles["replicate"] == "experimental_condition"
    assert {name for name, role in roles.items() if role == "quantitative_measure"} == {
        "callingcards_enrichment",
        "poisson_pval",
        "log2fc",
        "pvalue",
        "experiment_hops",
        "background_hops",
    }
    assert [roles[name] for name in ("sample_id", "label", "responsive", "adjusted")] == [None] * 4
    spec = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert yx.SimulationSpec.from_dict(spec) == simulate_measured().yeast.spec


def test_card__of_a_sweep_makes_it_again(tmp_path: Path) -> None:
    spec = yx.SimulationSpec(genes=5, bound=[0.5], max_mean_adjustment=3.0, seed=2**64 - 1)
    ranges = {"few": (1, 6), "many": (2, 9)}
    ds = yx.sweep(spec, bound_mean=[3.0, 5.0, 7.0], bound_experiment_hops_range=ranges, method=["none", "binding"])
    ds = ds.sel(bound_mean=[5.0, 7.0]).compute()
    yx.export(ds, tmp_path / "sweep.csv", card=True)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    values, swept = (yaml.safe_load(part.partition("```")[0]) for part in text.split("```yaml\n")[1:])
    assert yx.SimulationSpec.from_dict(values) == spec
    again = yx.sweep(yx.SimulationSpec.from_dict(values), **swept).compute()
    assert again.drop_attrs().identical(ds.drop_attrs())


def test_card__replaces_cards_of_ours_alone(tmp_path: Path) -> None:
    ds = simulate_measured()
    (tmp_path / "README.md").write_text("my project")
    with pytest.raises(yx.InputError, match="exists and is not a card of yeastxr"):
        yx.export(ds, tmp_path / "sim.csv", card=True, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "README.md").unlink()
    yx.export(ds, tmp_path / "sim.csv", card=True)
    with pytest.raises(yx.InputError, match=r"already exists; choose another folder or pass overwrite=True"):
        yx.export(ds, tmp_path / "other.csv", card=True)
    assert not (tmp_path / "other.csv").exists()
    many = yx.simulate(genes=[f"gene number {i}" for i in range(1000)], bound=[0.1], seed=1)
    yx.export(many, tmp_path / "other.csv", card=True, overwrite=True)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "other.csv" in text
    assert "characters, not shown" in text
    assert len(text) < 5000
