"""Results that are kept until the artist lets them go: pictures, thumbnails and recipes, searchable."""

from .store import Library, Origin

__all__ = ["Library", "Origin"]
