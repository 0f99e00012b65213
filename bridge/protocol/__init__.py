"""What crosses the wire, sans-I/O: no socket, no clock, no thread. Runs on Python 3.9, on the standard library and
msgpack alone.
"""
