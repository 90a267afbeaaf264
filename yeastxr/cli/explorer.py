"""The command explore: a page in the browser."""

import click

from yeastxr.cli.group import echo
from yeastxr.cli.options import add_store, open_dataset


@click.command()
@add_store
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="The port.  [default: a free one]")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="The IPv4 address to listen on. Other machines can reach any but 127.0.0.1, and need the token.",
)
@click.option("--token", help="What the URL must have as token.  [default: random, where other machines can reach it]")
@click.option("--browser/--no-browser", default=None, help="Open the page in the browser.  [default: browser]")
def explore(store: str, port: int, address: str, token: str | None, browser: bool | None) -> None:
    """Explore a store's dataset in the browser: its TFs, genes, checks and plots, and simulations like it.

    The page is served to this machine only, and reads what is shown when it is shown. Ctrl-C ends it.

    For example: yeastxr explore sim.zarr
    """
    from yeastxr.explore import serve

    ds = open_dataset(store)
    code = f"import yeastxr as yx\nds = yx.open({store!r})"
    show = browser is not False
    serve(ds, title=store, code=code, port=port, address=address, token=token, open_browser=show, tell=echo)
