"""Paintbridge in Krita. Krita imports this package when the plug-in is enabled; outside Krita it registers nothing, so
that what needs no Krita can be tested without.
"""

try:
    import krita
except ImportError:
    pass
else:
    from .extension import register

    register(krita.Krita.instance())
