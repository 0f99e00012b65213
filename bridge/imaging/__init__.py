"""Encoded pictures of other programs' APIs: looked at, laid out as a job's pixels, and pasted back together.

:mod:`.header` and :mod:`.png` judge bytes without unpacking them, :mod:`.orders` says what can be asked, and
:mod:`.process` asks it of a child process, in which :mod:`.work` decodes and encodes. What a stranger has made is thus
never unpacked in the server's own process, and torch is in neither.
"""
