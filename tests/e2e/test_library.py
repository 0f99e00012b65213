"""A bridge that is killed, and what the next one knows: with mini, the real worker, the client and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whole_bridge import PATIENCE, serving

from bridge.cli import main
from bridge.client import Bridge, Document, Job, discover
from bridge.protocol.messages import Extent, Rect, Started

DOCUMENT = Document("doc-1", "Harbour.kra")


def killed(home: Path) -> tuple[bytes, str]:
    """A bridge that dies with a result that nobody has applied, one job that runs and one that waits."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "serve", "--port", "0"],
        env={**os.environ, "PAINTBRIDGE_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with Bridge(discover(environ={"PAINTBRIDGE_HOME": str(home)})) as bridge:
            done = bridge.generate((128, 64), steps=2, seed=1, prompt="a boat", document=DOCUMENT, timeout=PATIENCE)
            jobs: list[Job] = []
            for prompt in ("a lamp", "a fish"):
                jobs.append(
                    bridge.submit(
                        kind="generate",
                        canvas=Extent(128, 64),
                        context=Rect(0, 0, 128, 64),
                        steps=1000,
                        prompt=prompt,
                        document=DOCUMENT,
                    )
                )
                # It was told that it waits, or runs, so it is the bridge's.
                next(event for event in jobs[-1].events() if isinstance(event, Started) or prompt == "a fish")
            # The answer comes behind the notes of both.
            bridge.browse()
            process.kill()
            process.wait()
            return bytes(done.layers[0].data), done.entries[0]
    finally:
        process.kill()


def test_after_a_kill_results_are_there_and_jobs_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(home))

    def library(*arguments: str) -> Any:
        capsys.readouterr()
        assert main(["library", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    pixels, name = killed(home)
    with serving(home) as served, served.connect() as bridge:
        (entry,) = bridge.browse("boat").entries
        assert (entry.id, entry.document) == (name, DOCUMENT)
        layer = bridge.kept_layer(entry, timeout=PATIENCE)
        assert bytes(layer.data) == pixels
        thumbnail = bridge.kept_thumbnail(entry)
        assert thumbnail is not None
        assert entry.thumbnail is not None
        # The picture is no larger than a thumbnail may be: it is one.
        assert np.array_equal(np.frombuffer(thumbnail, np.uint8), np.frombuffer(pixels, np.uint8))
        offered = bridge.browse(unfinished=True).entries
        prompts = [one.unfinished.settings.conditioning.prompt for one in offered if one.unfinished is not None]
        assert prompts == ["a fish", "a lamp"]
        again = entry.layer.recipe.settings if entry.layer else None
        assert again is not None
        sampling, words = again.sampling, again.conditioning
        same = bridge.generate(
            (128, 64), prompt=words.prompt, seed=sampling.seed, steps=sampling.steps, timeout=PATIENCE
        )
        assert bytes(same.layers[0].data) == pixels

        listed = library("list", "boat")["entries"]
        assert {row["id"] for row in listed} == {name, *same.entries}
        assert library("star", name)["starred"]
        assert library("show", name)["starred"]
        saved = library("save", name, "-o", str(tmp_path / "boat.png"))
        assert (saved["x"], saved["y"]) == (layer.x, layer.y)
        assert (tmp_path / "boat.png").stat().st_size > 0
        library("forget", *(one.id for one in offered))
        assert library("list", "--unfinished")["entries"] == []
