"""Other servers' HTTP APIs, for the clients that exist already: AUTOMATIC1111's, and OpenAI's for images.

Both are clients of the bridge like any other: :mod:`.in_process` holds a session and its place in the queue.
:mod:`.gate` says who may ask, :mod:`.bodies` and :mod:`.fields` read what is asked, :mod:`.api_job` turns it into jobs,
and
:mod:`.answers` is what the answers have in common. What each API looks like is in a package of its own.
"""
