"""The plug-in for Krita. What Krita gets is the package in here, put there by `paintbridge plugins install krita`."""
