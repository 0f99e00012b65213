"""The plug-in for GIMP. What GIMP gets is the package in here, put there by `paintbridge plugins install gimp`."""
