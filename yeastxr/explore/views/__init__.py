"""The views of the page: one module each, and what they share in :mod:`yeastxr.explore.views.base`."""
