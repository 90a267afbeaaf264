"""The command ``yeastxr`` as ``python -m yeastxr.cli``."""

from yeastxr.cli import run

if __name__ == "__main__":
    run()
