"""The views in the order of the page's links."""

from yeastxr.explore.views.base import View
from yeastxr.explore.views.pairs import PairsView
from yeastxr.explore.views.profiles import GeneView, TFView
from yeastxr.explore.views.simulate import SimulateView

VIEW_CLASSES: tuple[type[View], ...] = (TFView, GeneView, PairsView, SimulateView)
