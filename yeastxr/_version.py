"""The version of the package, on its own so that no room has to import another to know it."""

__version__ = "0.1.0"
