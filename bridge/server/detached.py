"""Sessions whose client is away: kept for it to come back, until its time is over or others need the room.

Nobody has to do anything for that room: a session with nothing running or waiting gives way by itself. Whoever asks for
one that is gone hears why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..errors import Sentence
from ..protocol.errors import BridgeError
from .logs import log
from .session import Session
from .settings import Settings

__all__ = ["DetachedSessions"]

_MOST_GONE = 1024
"""Sessions of which is known why they are gone."""


class DetachedSessions:
    """Belongs to one event loop.

    Of sessions without a job there are at most ``settings.kept_sessions``, which hold at most ``settings.kept_bytes``
    together; only results of the last to come are kept however large. Sessions with jobs are as few as jobs may wait.
    """

    def __init__(self, settings: Settings, forget: Callable[[Session], None]) -> None:
        """``forget`` ends a session that is given up, and its jobs."""
        self._settings = settings
        self._forget = forget
        # The one first that has been without client and job for longest.
        self._leases: dict[Session, asyncio.TimerHandle] = {}
        self._gone: dict[str, str] = {}

    def add(self, session: Session) -> None:
        """The session's client has left."""
        loop = asyncio.get_running_loop()
        self._leases[session] = loop.call_later(self._settings.resume_seconds, self._expire, session)
        self._make_room()

    def take(self, session: Session) -> None:
        """The session's client is back, if it was away."""
        lease = self._leases.pop(session, None)
        if lease is not None:
            lease.cancel()

    def job_ended(self, session: Session) -> None:
        """A job of any session has ended. What it has made counts from now on, and has not been waiting before."""
        if session in self._leases:
            self._leases[session] = self._leases.pop(session)
            self._make_room()

    def close(self) -> None:
        """Give nothing up any more."""
        for lease in self._leases.values():
            lease.cancel()
        self._leases.clear()

    def why_gone(self, session_id: str) -> BridgeError:
        """What to say to whoever asks for a session that there is not: ``session_dropped``, ``session_unknown``."""
        if session_id in self._gone:
            return BridgeError("session_dropped", self._gone[session_id])
        return BridgeError("session_unknown")

    # ------------------------------------------------------------ inside

    def _make_room(self) -> None:
        settings = self._settings
        quiet = [session for session in self._leases if not session.jobs]
        held = sum(session.held_bytes for session in quiet)
        # Uploads first: nobody misses them, since clients ask which are wanted before they name them.
        for session in quiet:
            if held > settings.kept_bytes:
                held -= session.pictures.drop_unused()
        # Those with nothing to lose, then those with results; of each the one first that has been away longest.
        idle = [session for session in quiet if session.idle]
        for session in [*idle, *(session for session in quiet[:-1] if not session.idle)]:
            if len(quiet) > settings.kept_sessions or (held > settings.kept_bytes and session.held_bytes):
                quiet.remove(session)
                held -= session.held_bytes
                self._give_up(
                    session,
                    "room",
                    Sentence(
                        "The bridge needed the room of this session while its client was away, and gave "
                        "it up. Jobs lost with it: {jobs}.",
                        jobs=session.unfinished,
                    ),
                )

    def _expire(self, session: Session) -> None:
        self._give_up(
            session,
            "time",
            Sentence(
                "The client of this session was away for more than {seconds} seconds, so the bridge gave "
                "it up. Jobs lost with it: {jobs}.",
                seconds=f"{self._settings.resume_seconds:g}",
                jobs=session.unfinished,
            ),
        )

    def _give_up(self, session: Session, why: str, words: str) -> None:
        self.take(session)
        self._gone[session.id] = words
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
        log(logging.INFO, "gave up a session", session=session.id[:8], why=why, jobs=session.unfinished)
        self._forget(session)
