"""The version of the package, in a module of its own, which all others can import."""

__version__ = "0.1.0"
