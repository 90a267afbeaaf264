"""The views in the order of the page's links."""

from yeastxr.explore.views.base import View
from yeastxr.explore.views.overview import OverviewView
from yeastxr.explore.views.pairs import PairsView
from yeastxr.explore.views.profiles import GeneView, TFView
from yeastxr.explore.views.simulate import SimulateView
from yeastxr.explore.views.sweep import SweepView

VIEW_CLASSES: tuple[type[View], ...] = (OverviewView, TFView, GeneView, PairsView, SweepView, SimulateView)
