"""The bridge's library: what scripts and hosts use of :class:`.bridge.Bridge` to find what it has kept."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Coroutine, Iterable
from typing import Any, Optional, TypeVar, Union

from ..protocol.errors import BridgeError
from ..protocol.messages import Browse, Browsed, Forget, KeepDocument, LibraryEntry, Mark, Picture
from ..protocol.wire import decode_client, encode
from .job import ResultLayer
from .jobs import Jobs

__all__ = ["KeptResults"]

T = TypeVar("T")


class KeptResults:
    """All methods block, and raise BridgeError (``library_unavailable``, ``entry_unknown``), ClientError where there
    is no connection, TimeoutError after ``timeout`` seconds, RuntimeError on the client's own thread. Hosts, which may
    not wait, have the methods whose names end with ``_soon``.
    """

    _jobs: Jobs

    def browse(
        self,
        text: str = "",
        *,
        document: Optional[str] = None,
        starred: bool = False,
        unfinished: bool = False,
        before: str = "",
        limit: int = 50,
        timeout: Optional[float] = None,
    ) -> Browsed:
        """The entries of the library that are asked for, latest first, of all hosts and documents. The fields are
        those of :class:`~..protocol.messages.Browse`; while ``more`` is true, the next ones lie ``before`` the last.
        """
        asked = Browse(0, text, document, starred, unfinished, before, limit)
        browsed: Browsed = self._wait(self.ask_library_soon(asked), timeout)
        return browsed

    def kept_layer(self, entry: LibraryEntry, *, timeout: Optional[float] = None) -> ResultLayer:
        """An entry's picture, as its job gave it.

        Raises:
            BridgeError: ``result_expired`` when only recipe and thumbnail are left; ``entry_unknown`` for a job that
                has not ended.
        """
        return self._wait(self.kept_layer_soon(entry), timeout)

    def kept_thumbnail(self, entry: LibraryEntry, *, timeout: Optional[float] = None) -> Optional[memoryview]:
        """The bytes of an entry's thumbnail, which ``entry.thumbnail`` describes; None: it has none."""
        return None if entry.thumbnail is None else self._wait(self.kept_picture_soon(entry.thumbnail), timeout)

    def star(self, entry: str, starred: bool = True, *, timeout: Optional[float] = None) -> None:
        """Have an entry never expire, by its id, or expire as others do."""
        self._wait(self.ask_library_soon(Mark(0, entry, starred=starred)), timeout)

    def note_applied(self, entry: str, applied: bool = True, *, timeout: Optional[float] = None) -> None:
        """Say that an entry's picture is in a document, or is not any more. What is applied never expires."""
        self._wait(self.ask_library_soon(Mark(0, entry, applied=applied)), timeout)

    def forget(self, entries: Iterable[str], *, timeout: Optional[float] = None) -> None:
        """Take entries out of the library, by their ids, starred ones too."""
        self._wait(self.ask_library_soon(Forget(0, tuple(entries))), timeout)

    def keep_document(self, document: str, keep: bool, *, timeout: Optional[float] = None) -> None:
        """Say whether results of a document, by its id, are kept from now on."""
        self._wait(self.ask_library_soon(KeepDocument(0, document, keep)), timeout)

    # ------------------------------------------------------------ without waiting

    def ask_library_soon(self, asked: Union[Browse, Mark, Forget, KeepDocument]) -> concurrent.futures.Future[Any]:
        """Ask, and return at once; the request's number is filled in. The future gives the answer, and its own
        callbacks are called on the client's thread.

        Raises:
            BridgeError: what can be told without the bridge, such as ``out_of_range``.
        """
        decode_client(encode(asked))
        return self._spawn(self._jobs.ask_library(asked))

    def kept_layer_soon(self, entry: LibraryEntry) -> concurrent.futures.Future[ResultLayer]:
        """As :meth:`kept_layer`, without waiting."""
        layer = entry.layer
        if layer is None:
            raise BridgeError("entry_unknown")

        async def fetch() -> ResultLayer:
            data = await self._jobs.fetch_kept(layer.picture)
            return ResultLayer(layer.x, layer.y, layer.picture, layer.recipe, data, layer.people)

        return self._spawn(fetch())

    def kept_picture_soon(self, picture: Picture) -> concurrent.futures.Future[memoryview]:
        """The bytes of any picture that an entry names, its thumbnail for instance, without waiting."""
        return self._spawn(self._jobs.fetch_kept(picture))

    def _wait(self, future: concurrent.futures.Future[T], timeout: Optional[float]) -> T:
        self._may_block()
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"The bridge has not answered within {timeout} seconds.") from None

    def _spawn(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """As of :class:`.bridge.Bridge`."""
        raise NotImplementedError

    def _may_block(self) -> None:
        """As of :class:`.bridge.Bridge`."""
        raise NotImplementedError
