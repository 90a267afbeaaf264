"""The page of the explorer: its head, its selectors and its views, in a browser or in a notebook."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlencode

import panel as pn
import xarray as xr
from panel.viewable import Viewer

from yeastxr.errors import InputError, describe_error, shorten
from yeastxr.explore.changes import apply_changes, count_pairs, find_base, simulate_changes
from yeastxr.explore.downloads import Downloads
from yeastxr.explore.navigation import Navigation
from yeastxr.explore.source import Source
from yeastxr.explore.state import State
from yeastxr.explore.style import STYLES
from yeastxr.explore.text import escape
from yeastxr.explore.views.base import View, make_html
from yeastxr.explore.views.catalog import VIEW_CLASSES
from yeastxr.plot.style import load_holoviews, shorten_name
from yeastxr.schema import GENE, TF

_LOG = logging.getLogger("yeastxr.explore")
_MOST_OPTIONS = 20_000  # names that a browser completes
_MOST_AT_ONCE = 100_000  # pairs that are simulated while the page waits
_POOL = ThreadPoolExecutor(2, thread_name_prefix="yeastxr-explore")


class Explorer(Viewer):
    """A page that shows a dataset; displays itself in a notebook.

    Parameters
    ----------
    ds
        The dataset.
    title
        The title on the page, such as the name of its store.
    code
        Python lines that make the dataset as ``ds``.
    query
        The query of the URL that says what to show first.
    owns_page
        Whether the browser's page is the explorer's alone, with its URL.
    kept
        What else every query has, such as a token.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr.explore import Explorer
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> page = Explorer(ds, query="?view=tf&tf=1")
    >>> page.state.view, page.state.tf
    ('tf', 1)
    """

    def __init__(
        self,
        ds: xr.Dataset,
        *,
        title: str = "yeastxr",
        code: str = "",
        query: str = "",
        owns_page: bool = False,
        kept: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        pn.extension("tabulator")
        load_holoviews()
        self.opened = self.source = Source(ds, code)
        self._title, self._kept = title, dict(kept or {})
        self._views: dict[str, View] = {}
        self._shown: View | None = None
        self._syncing = False
        self._made_of: Any = None  # what the source is made of: changes, and a specification; None for what was opened
        self._job = 0
        self.navigation = Navigation(owns_page=owns_page, heading=shorten(title, 120), sizing_mode="stretch_width")
        self.navigation.param.watch(
            lambda event: self._call_locked(partial(self.visit, self.navigation.visited)), "visits"
        )
        self._message = make_html(visible=False)
        self._changes_note = make_html()
        self._back = pn.widgets.Button(label="Back to the opened dataset", width=220, stylesheets=[STYLES])
        self._back.on_click(lambda _: self.go(changes={}))
        self._changes_row = pn.FlexBox(
            self._changes_note, self._back, visible=False, sizing_mode="stretch_width", stylesheets=[STYLES]
        )
        self._progress = pn.indicators.Progress(value=0, max=100, visible=False, sizing_mode="stretch_width")
        self._places = {
            view.name: pn.Column(visible=False, sizing_mode="stretch_width", stylesheets=[STYLES])
            for view in VIEW_CLASSES
        }
        self.downloads = Downloads(self)
        self._fill_selectors()
        self._selector_row = pn.FlexBox(*self._selectors.values(), sizing_mode="stretch_width", stylesheets=[STYLES])
        self._layout = pn.Column(
            self.navigation,
            self._changes_row,
            self._selector_row,
            self._message,
            self._progress,
            *self._places.values(),
            self.downloads.layout,
            sizing_mode="stretch_width",
            stylesheets=[STYLES],
        )
        self.state = State()
        self._document, self._loop = _find_document(), None
        if self._document is not None:
            self._loop = asyncio.get_running_loop()
            pn.state.on_session_destroyed(lambda _: self._drop_work())
        self.visit(query)

    def __panel__(self) -> Any:
        return self._layout

    def visit(self, query: str) -> None:
        """Show what the query of a URL says; a simulation with other parameters is made at once."""
        state, problems = State.from_query(query, self.opened)
        try:
            if self._find_parts(state) != self._made_of:
                self._use_changes(self._simulate(state), state)
            state, problems = State.from_query(query, self.source, self.opened)
        except InputError as error:
            state, problems = state.change(changes={}), [*problems, str(error)]
            self._use_changes(self.opened, state)
        if not any(view.name == state.view and view.applies(self.source) for view in VIEW_CLASSES):
            state = state.change(view="overview")
        self._show(state)
        if problems:
            self.tell("; ".join(problems))

    def go(self, **changes: Any) -> None:
        """Show something else: change the state, and all that depends on it."""
        self._call_locked(lambda: self._show(self.state.change(**changes)))

    def use(self, source: Source) -> None:
        """Show another dataset, with the same genes and TFs or others, from now on."""
        self.source = source
        self._views = {name: view for name, view in self._views.items() if view.keeps_source}
        for name, place in self._places.items():
            if name not in self._views:
                place.clear()
        sizes, opened = source.ds.sizes, self.opened
        self.state = self.state.change(
            tf=min(self.state.tf, sizes[TF] - 1),
            gene=min(self.state.gene, sizes[GENE] - 1),
            other=min(self.state.other, sizes[TF] - 1),
            point={
                dim: i
                for dim, i in self.state.point.items()
                for owner in [source if dim in source.dims else opened]
                if dim in owner.dims and i < owner.ds.sizes[dim]
            },
        )
        self._fill_selectors()
        self._selector_row.objects = list(self._selectors.values())

    def tell(self, text: str, *, error: bool = True) -> None:
        """Show a sentence above the view; an empty one hides the last."""
        kind, role = ("error", "alert") if error else ("notice", "status")
        self._message.object = f'<div class="{kind}" role="{role}">{escape(text, 2_000)}</div>' if text else ""
        self._message.visible = bool(text)

    def run(
        self,
        work: Callable[[Callable[[float], None]], Any],
        finish: Callable[[Any], None],
        *,
        at_once: bool = False,
    ) -> None:
        """Do work that takes long beside the page, with a bar of its progress, and then show its result.

        The work gets a function to call with the share that is done. A result that comes after something else was shown
        is dropped. ``at_once`` does it now, for work that takes less than a second.
        """
        self._drop_work()
        job = self._job
        if at_once or self._document is None:  # a notebook, or a test, waits
            with self._explain_errors():
                finish(work(lambda share: None))
            return
        self._progress.param.update(value=0, visible=True)
        call_on_page = partial(self._call_on_page, job)
        percents = [0]

        def report_share(share: float) -> None:
            if job != self._job:
                raise _SupersededError
            percent = int(100 * min(1.0, share))
            if percent > percents[-1]:
                percents.append(percent)
                call_on_page(partial(self._progress.param.update, value=percent))

        def end(result: Any = None, failure: BaseException | None = None) -> None:
            if job != self._job:
                return
            self._progress.visible = False
            with self._explain_errors():
                if failure is not None:
                    raise failure
                finish(result)

        def do() -> None:
            try:
                outcome = partial(end, work(report_share))
            except _SupersededError:
                return
            except Exception as failure:
                outcome = partial(end, None, failure)
            call_on_page(outcome)

        _POOL.submit(do)

    def call_later(self, function: Callable[[], None]) -> None:
        """Call a function once the browser has what was shown before, unless something else is shown by then.

        Without a browser it is called at once.
        """
        job = self._job

        def call() -> None:
            if job == self._job:
                with self._explain_errors():
                    function()

        self._call_locked(call)

    def _call_locked(self, function: Callable[[], Any]) -> None:
        """Call a function that changes figures, with the document's lock, which panel's callbacks may lack.

        All that it changes goes to the browser as one message. Panel sends its own changes beside those of figures, and
        the browser could get those of a figure before the figure.
        """

        def call() -> None:
            with pn.io.hold(self._document):
                function()

        if self._document is None:
            function()
        else:
            self._document.add_next_tick_callback(call)

    def _call_on_page(self, job: int, function: Callable[[], Any]) -> None:
        """Call a function on the page, from any thread, unless its job is no longer wanted.

        Only the server's thread may use a document: bokeh has one current document for all threads, so that a call by
        another thread lets the server change a document without its lock.
        """

        def schedule() -> None:
            if job == self._job:  # also false once the document is destroyed
                self._call_locked(function)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(schedule)

    def _drop_work(self) -> None:
        """Let the work that still runs end without a result: it is for something else, or the page was closed."""
        self._job += 1

    @contextmanager
    def _explain_errors(self) -> Any:
        """Show an error as a sentence; the log has the rest."""
        try:
            yield
        except InputError as error:
            self.tell(str(error))
        except Exception as error:
            _LOG.exception("the explorer could not show this")
            self.tell(f"This could not be shown: {describe_error(error)}")

    def _show(self, state: State) -> None:
        self._drop_work()
        self._progress.visible = False
        if self._find_parts(state) != self._made_of:
            with self._explain_errors():
                self._change_source(state)
            return
        self.state = state
        self.tell("")
        self._sync()
        is_new = self._document is not None and state.view not in self._views
        # Bokeh would look through all models of the page for each part of a new view.
        with self._explain_errors(), self._document.models.freeze() if is_new else nullcontext():
            view = self._get_view(state.view)
            self._place(view)
            view.show(state)
        self.downloads.refresh(self._shown, state)

    def _place(self, view: View) -> None:
        """Show a view in its place; those of others stay on the page, hidden, since drawing them anew takes seconds."""
        for name, place in self._places.items():
            place.visible = place.visible and name == view.name  # the browser draws what is not hidden
        place = self._places[view.name]
        if list(place) != [view.layout]:
            place.objects = [view.layout]
        place.visible = True
        self._shown = view

    def _find_parts(self, state: State) -> Any:
        """Return what the dataset of a state is made of; None for the one that was opened."""
        return (dict(state.changes), find_base(self.opened, state.point)) if state.changes else None

    def _simulate(self, state: State) -> Source:
        """Return the dataset of a state, or refuse its changes."""
        return simulate_changes(self.opened, state.point, state.changes) if state.changes else self.opened

    def _change_source(self, state: State) -> None:
        """Show a state of another dataset than the page has, once it is simulated."""

        def finish(source: Source) -> None:
            self._use_changes(source, state)
            self._show(self.state)

        at_once = True
        if state.changes:
            spec = apply_changes(find_base(self.opened, state.point), state.changes)
            at_once = count_pairs(spec) <= _MOST_AT_ONCE
        self.run(lambda report_share: self._simulate(state), finish, at_once=at_once)

    def _use_changes(self, source: Source, state: State) -> None:
        """Use the dataset of a state, which becomes the page's, cut to what the dataset has."""
        self.state, self._made_of = state, self._find_parts(state)
        if source is not self.source:
            self.use(source)
            self._describe_changes()

    def _describe_changes(self) -> None:
        """Say above the views that the dataset is a simulation with other parameters, if it is."""
        changes = self.state.changes
        words = ", ".join(name if len(text) > 40 else f"{name} {text}" for name, text in changes.items())
        self._changes_note.object = (
            f'<p class="notice" role="status">All views show a simulation with other parameters than the opened '
            f"dataset's: {escape(words, 400)}.</p>"
        )
        self._changes_row.visible = bool(changes)

    def _get_view(self, name: str) -> View:
        if name not in self._views:
            self._views[name] = next(view for view in VIEW_CLASSES if view.name == name)(self)
        return self._views[name]

    def _sync(self) -> None:
        """Bring the selectors and the URL in line with the state."""
        state, source = self.state, self.source
        shown = [view for view in VIEW_CLASSES if view.applies(source)]
        current = next(view for view in VIEW_CLASSES if view.name == state.view)
        self._syncing = True
        try:
            for name, selector in self._selectors.items():
                kind = name if name in ("tf", "gene", "other") else "point"
                selector.visible = kind in current.selectors
                if kind == "point":
                    selector.value = state.point.get(name.removeprefix("at."), 0)
                else:
                    dim = GENE if name == "gene" else TF
                    selector.value = str(source.get_label(dim, getattr(state, name)))
        finally:
            self._syncing = False
        links = [
            {
                "title": view.title,
                "query": self._make_query(state.change(view=view.name)),
                "current": view.name == state.view,
            }
            for view in shown
        ]
        words = [
            current.title,
            *(self._selectors[name].value for name in ("tf", "other", "gene") if name in current.selectors),
        ]
        self.navigation.param.update(
            links=links,
            page_title=" – ".join([shorten_name(" ".join(words)), shorten(self._title, 60)]),
            query=self._make_query(state),
        )

    def _make_query(self, state: State) -> str:
        kept = urlencode(self._kept)
        return state.to_query(self.source, self.opened) + (f"&{kept}" if kept else "")

    def _fill_selectors(self) -> None:
        """Make the selectors of TF, gene and the point of leading dims."""
        self._selectors: dict[str, Any] = {
            "tf": self._make_name_selector("TF", TF, "tf"),
            "other": self._make_name_selector("Second TF", TF, "other"),
            "gene": self._make_name_selector("Gene", GENE, "gene"),
        }
        for dim in self.source.dims:
            options = {shorten_name(label): position for position, label in enumerate(self.source.list_labels(dim))}
            selector = pn.widgets.Select(
                label=shorten_name(dim), options=options, value=0, width=160, stylesheets=[STYLES]
            )
            selector.param.watch(partial(self._choose_point, dim), "value")
            self._selectors[f"at.{dim}"] = selector

    def _make_name_selector(self, title: str, dim: str, field: str) -> Any:
        labels: Sequence[str] = self.source.list_labels(dim)
        selector = pn.widgets.AutocompleteInput(
            label=title,
            options=list(labels) if len(labels) <= _MOST_OPTIONS else [],
            value=labels[0],
            restrict=False,
            case_sensitive=False,
            search_strategy="includes",
            min_characters=1,
            width=200,
            placeholder="type a name",
            stylesheets=[STYLES],
        )
        selector.param.watch(partial(self._choose, dim, field), "value")
        return selector

    def _choose(self, dim: str, field: str, event: Any) -> None:
        if self._syncing:
            return
        try:
            self.go(**{field: self.source.find(dim, event.new)})
        except InputError as error:
            self._sync()
            self.tell(str(error))

    def _choose_point(self, dim: str, event: Any) -> None:
        if not self._syncing:
            self.go(point={**self.state.point, dim: event.new})


def _find_document() -> Any:
    """Return the document of a browser, beside which a server can work; None in a notebook."""
    document = pn.state.curdoc
    return None if document is None or document.session_context is None else document


class _SupersededError(Exception):
    """Ends work whose result is no longer wanted."""
