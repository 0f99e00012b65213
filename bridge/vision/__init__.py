"""Small networks beside the model, and what OpenCV can do: maps made of pictures. Imports torch."""

from .maps import EstimatedMap, MapOptions, Scene, make_map
from .networks import load_estimator

__all__ = ["EstimatedMap", "MapOptions", "Scene", "load_estimator", "make_map"]
