"""Train a linear model and a small MLP on each of the four methods, and compare them on held-out genes.

A sample is a gene: a model predicts the magnitudes of the gene's responses to all TFs from their binding effects (signs
are random). "Attainable" is the explained variance of the simulation's own means, given each pair's label and whether
its conditions hold. Takes half a minute on 2 cores; ``--quick`` is a short test run.
"""

import sys

import holoviews as hv
import torch
import xarray as xr
from torch import nn

import yeastxr as yx
from yeastxr.demo import METHODS
from yeastxr.theory import folded_normal_mean, slope_of_mean

TFS, COLOURS = 10, {"linear": "#0072B2", "MLP": "#E69F00", "attainable": "#999999"}


def train(model: nn.Module, ds: xr.Dataset, epochs: int) -> None:
    """Fit a model to the training genes; both models see log(1 + enrichment)."""
    batches = ds.yeast.batches(256, split="train", shuffle=True, seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for x, y in batches:
            loss = nn.functional.mse_loss(model(x.log1p()), y.abs())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


def explained_variance(predicted: torch.Tensor, observed: torch.Tensor) -> float:
    """Return 1 - var(rest) / var(observed), each variance within a TF, summed over TFs."""
    rest = (observed - predicted).reshape(-1, TFS).var(0).sum()
    return float(1 - rest / observed.reshape(-1, TFS).var(0).sum())


def known_mean(ds: xr.Dataset) -> torch.Tensor:
    """Return the mean magnitude of each response, given labels, binding effects and conditions."""
    spec = ds.yeast.spec
    raised = spec.bound_mean + slope_of_mean(spec, spec) * ds.binding_effect
    mean = xr.where(yx.adjusted_pairs(ds.label, spec.tf_relationships), raised, spec.unbound_mean)
    return torch.from_numpy(folded_normal_mean(mean.transpose(*ds.label.dims).values, 1.0)).float()


quick = "--quick" in sys.argv
genes, replicates, epochs = (1000, 2, 2) if quick else (6600, 10, 12)
bars = []
print(f"{'Explained variance on held-out genes':42} {'linear':>8} {'MLP':>8} {'attainable':>11}")
for method, (name, adjustment) in METHODS.items():
    ds = yx.simulate(
        genes=genes, bound=[0.2], n_sample=[TFS], replicates=replicates, seed=method, **adjustment
    ).yeast.split(by="gene", seed=1)
    x, y = ds.yeast.xy(split="test")
    torch.manual_seed(1)
    models = {"linear": nn.Linear(TFS, TFS), "MLP": nn.Sequential(nn.Linear(TFS, 128), nn.ReLU(), nn.Linear(128, TFS))}
    scores = {}
    for model_name, model in models.items():
        train(model, ds, epochs)
        scores[model_name] = explained_variance(model(x.log1p()).detach(), y.abs())
    scores["attainable"] = explained_variance(known_mean(ds.isel(gene=(ds.split == "test").values)), y.abs())
    print(f"{method}. {name:39} {scores['linear']:8.3f} {scores['MLP']:8.3f} {scores['attainable']:11.3f}")
    bars += [(f"method {method}", model_name, max(score, 0)) for model_name, score in scores.items()]

hv.extension("matplotlib")
chart = hv.Bars(bars, ["method", "model"], hv.Dimension("explained variance", range=(0, 1)))
chart.opts(multi_level=False, color=hv.dim("model").categorize(COLOURS), xlabel="", fig_inches=(7, 4))
chart.opts(title="Magnitude of the response, held-out genes")
print("Saved", yx.plot.save(chart, "train_models.png", overwrite=True))
