# What the plug-in for Krita uses of PyQt, as PyQt5 5.15 and PyQt6 both have it: enumerations in full, no `exec_`.
# None-able where Qt returns a null pointer. tests/hosts/krita/test_stubs.py holds the names against what Krita has.
