"""``docs/settings.md`` from the settings' own fields."""

from __future__ import annotations

from bridge.server.settings import settings_table

__all__ = ["settings"]

_HEAD = """# Settings of the bridge

Each can stand in `settings.toml` in the bridge's home (`~/.paintbridge`, or the folder that `PAINTBRIDGE_HOME` names),
in an environment variable, or on the command line of `paintbridge serve`. The command line counts most, the file least.
`PAINTBRIDGE_HOME` may begin with a tilde; a relative path begins at your home folder.

| setting | environment | flag | default | allowed | meaning |
| --- | --- | --- | --- | --- | --- |
"""


def settings() -> str:
    """The whole page."""
    rows = [
        "| {} |".format(
            " | ".join([f"`{row.name}`", f"`{row.environment}`", f"`{row.flag}`", row.default, row.allowed, row.doc])
        )
        for row in settings_table()
    ]
    return _HEAD + "\n".join(rows) + "\n"
