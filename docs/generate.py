"""Write what is made from code: the protocol's guide, schema and test vectors, the settings, mini's figures, what the
families take in memory, and what the Python client and the page know of a job's fields.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing, names those that differ, and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from generation.examples import refused_frames, vectors
from generation.guide import guide
from generation.memory import with_memory
from generation.mini import with_figures
from generation.options import options
from generation.page import page_fields
from generation.schema import schema
from generation.settings import settings

from bridge.protocol.messages import PROTOCOL_VERSION

DOCS = Path(__file__).parent


def documents() -> dict[str, str]:
    """Every generated document by its name."""
    return {
        "protocol.md": guide(),
        "protocol.schema.json": _json(schema()),
        "protocol.vectors.json": _json(
            {"protocol": PROTOCOL_VERSION, "vectors": vectors(), "refused": refused_frames()}
        ),
        "settings.md": settings(),
        "../bridge/client/options.py": options(),
        "../bridge/server/page/wire/fields.mjs": page_fields(),
        "checkpoints.md": with_memory(DOCS / "checkpoints.md"),
        **{name: with_figures(DOCS / name) for name in ("mini.md", "../bridge/mini/README.md")},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a document differs")
    check = parser.parse_args().check
    stale = [name for name, text in documents().items() if _differs(DOCS / name, text)]
    for name in stale:
        print(f"docs/{name} differs from a fresh generation" if check else f"docs/{name}")
        if not check:
            (DOCS / name).write_text(documents()[name], encoding="utf-8", newline="\n")
    return 1 if check and stale else 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_bytes() != text.encode()


if __name__ == "__main__":
    sys.exit(main())
