"""Workers that die, freeze, or cannot start; and engines that die."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.engine.local import LocalEngine
from bridge.engine.port import EngineEvent, TaskCancelled, TaskFailed, TaskFinished
from bridge.engine.process import crash_error
from bridge.protocol.errors import BridgeError

shared_loop = pytest.mark.asyncio(loop_scope="session")
posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def pid_of(engine: LocalEngine) -> int:
    assert engine.worker_pid is not None
    return engine.worker_pid


@posix
@shared_loop
async def test_killed_in_mid_job(engine: LocalEngine, jobs: Any) -> None:
    before = await jobs.finish(engine, jobs.task("before"))
    first = pid_of(engine)

    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 1):
            os.kill(first, signal.SIGKILL)

    lost = asyncio.create_task(jobs.follow(engine, jobs.task("lost", checkpoint="slow"), react))
    queued = asyncio.create_task(jobs.follow(engine, jobs.task("queued")))
    end = (await lost)[-1]
    assert isinstance(end, TaskFailed)
    assert end.error.code == "worker_crashed"
    assert "signal 9" in end.error.message
    assert "emory" in end.error.hint
    end = (await queued)[-1]
    assert isinstance(end, TaskFinished)
    assert end.layers == before.layers, "a new worker paints the same"
    assert pid_of(engine) != first
    assert not psutil.pid_exists(first)
    assert jobs.segments(engine) == []


@posix
@shared_loop
async def test_killed_while_it_is_being_cancelled(engine: LocalEngine, jobs: Any) -> None:
    """Whoever asked for a job's end gets just that."""

    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 1):
            os.kill(pid_of(engine), signal.SIGSTOP)
            engine.cancel("both")
            os.kill(pid_of(engine), signal.SIGKILL)

    assert isinstance((await jobs.follow(engine, jobs.task("both", checkpoint="slow"), react))[-1], TaskCancelled)


@posix
@shared_loop
async def test_killed_while_idle(engine: LocalEngine, jobs: Any) -> None:
    """A job that was handed over before the death was noticed, and not begun, is not lost."""
    await jobs.finish(engine, jobs.task("before"))
    os.kill(pid_of(engine), signal.SIGKILL)
    await jobs.finish(engine, jobs.task("next"))


@posix
@shared_loop
async def test_frozen_in_mid_job(engine: LocalEngine, jobs: Any) -> None:
    await jobs.finish(engine, jobs.task("before"))
    first = pid_of(engine)

    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 1):
            os.kill(first, signal.SIGSTOP)

    lost = asyncio.create_task(jobs.follow(engine, jobs.task("lost", checkpoint="slow"), react))
    queued = asyncio.create_task(jobs.follow(engine, jobs.task("queued")))
    end = (await lost)[-1]
    assert isinstance(end, TaskFailed)
    assert end.error.code == "worker_silent"
    assert isinstance((await queued)[-1], TaskFinished)
    assert not psutil.pid_exists(first)
    assert jobs.segments(engine) == []


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (-11, "signal 11"), (None, "")])
def test_a_crash_says_how(code: int | None, words: str) -> None:
    error = crash_error(code)
    assert error.code == "worker_crashed"
    assert words in error.message
    assert error.hint


async def test_a_worker_that_cannot_start(new_engine: Any, jobs: Any) -> None:
    async with new_engine(worker="bridge.engine.nowhere:main", start_attempts=3, back_off_seconds=0.01) as engine:
        end = (await jobs.follow(engine, jobs.task("first")))[-1]
        assert isinstance(end, TaskFailed)
        assert end.error.code == "worker_crashed"
        assert "paintbridge doctor" in end.error.hint
        with pytest.raises(BridgeError, match="worker_crashed"):
            await engine.devices()
        assert engine.worker_pid is None, "it is not started for ever"
        end = (await jobs.follow(engine, jobs.task("second")))[-1]
        assert isinstance(end, TaskFailed), "the next job asks for one more attempt"


async def test_a_device_that_is_not_there(new_engine: Any, jobs: Any) -> None:
    absent = "xpu" if sys.platform == "darwin" else "mps"
    async with new_engine(device=absent) as engine:
        end = (await jobs.follow(engine, jobs.task("first")))[-1]
        assert isinstance(end, TaskFailed)
        assert end.error.code == "worker_crashed"
        assert f"ask to paint on {absent}" in end.error.message
        with pytest.raises(BridgeError, match=absent):
            await engine.devices()


async def test_closing_in_mid_job(new_engine: Any, jobs: Any) -> None:
    async with new_engine() as engine:
        await jobs.finish(engine, jobs.task("before"))
        worker = pid_of(engine)
        closing: list[asyncio.Task[None]] = []

        def react(event: EngineEvent) -> None:
            if jobs.denoising(event, 1):
                closing.append(asyncio.create_task(engine.close()))

        running = asyncio.create_task(jobs.follow(engine, jobs.task("running", checkpoint="slow"), react))
        waiting = asyncio.create_task(jobs.follow(engine, jobs.task("waiting")))
        for following in (running, waiting):
            end = (await following)[-1]
            assert isinstance(end, TaskFailed)
            assert end.error.code == "shutting_down"
        await closing[0]
        assert not psutil.pid_exists(worker)
        assert jobs.segments(engine) == []
        end = (await jobs.follow(engine, jobs.task("too late")))[-1]
        assert isinstance(end, TaskFailed)
        assert end.error.code == "shutting_down"


@posix
async def test_closing_a_frozen_worker(new_engine: Any, jobs: Any) -> None:
    async with new_engine(close_seconds=0.2) as engine:
        while engine.worker_pid is None:
            await asyncio.sleep(0)
        worker = engine.worker_pid
        os.kill(worker, signal.SIGSTOP)
        async with asyncio.timeout(jobs.patience):
            await engine.close()
        assert not psutil.pid_exists(worker)


async def test_closing_before_the_worker_is_up(new_engine: Any) -> None:
    async with new_engine() as engine:
        asking = asyncio.create_task(engine.devices())
        await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(BridgeError, match="shutting_down"):
            await asking


# An engine in a process of its own: says who its worker is in the middle of 400 steps, and goes on.
ENGINE = """
import asyncio, pickle, sys
from bridge.engine.local import EngineSettings, LocalEngine

async def main():
    task = pickle.load(open(sys.argv[2], "rb"))
    engine = LocalEngine(EngineSettings(models=(sys.argv[1],), device="cpu"))
    await engine.start()
    async for event in engine.submit(task):
        if getattr(event, "stage", "") == "denoise" and event.step == 2:
            print(engine.worker_pid, flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""

# The same with a worker that is frozen before its first job, so that it does not come to read its pictures.
FROZEN = """
import asyncio, os, pickle, signal, sys
from pathlib import Path
from bridge.engine.local import EngineSettings, LocalEngine

async def main():
    task = pickle.load(open(sys.argv[2], "rb"))
    engine = LocalEngine(EngineSettings(models=(sys.argv[1],), device="cpu"))
    await engine.start()
    await engine.devices()
    os.kill(engine.worker_pid, signal.SIGSTOP)
    stream = engine.submit(task)
    segments = engine.segment_prefix + "*"
    # Not before it is filled: until then it may be there, and not yet known to Python's resource tracker.
    while not (shared := [path for path in Path("/dev/shm").glob(segments) if any(path.read_bytes())]):
        await asyncio.sleep(0.01)
    print(engine.worker_pid, shared[0], flush=True)
    async for event in stream:
        pass

if __name__ == "__main__":
    asyncio.run(main())
"""


@contextmanager
def engine_process(script: str, models: Path, jobs: Any, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "task").write_bytes(pickle.dumps(jobs.task("orphan", checkpoint="slow")))
    (tmp_path / "engine.py").write_text(script, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "engine.py"), str(models), str(tmp_path / "task")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(jobs: Any, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + jobs.patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(pid: int) -> bool:
    # Where nobody collects orphans, an ended one stays as a zombie.
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@posix
def test_an_engine_that_is_killed_takes_its_worker_with_it(models: Path, jobs: Any, tmp_path: Path) -> None:
    with engine_process(ENGINE, models, jobs, tmp_path) as engine:
        assert engine.stdout is not None
        worker = int(engine.stdout.readline())
        assert not gone(worker)
        engine.kill()
        wait_until(jobs, lambda: gone(worker))


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="seen on Linux only")
def test_an_engine_that_is_killed_leaves_no_shared_memory(models: Path, jobs: Any, tmp_path: Path) -> None:
    with engine_process(FROZEN, models, jobs, tmp_path) as engine:
        assert engine.stdout is not None
        worker, segment = engine.stdout.readline().split()
        engine.kill()
        assert Path(segment).exists()
        os.kill(int(worker), signal.SIGCONT)
        wait_until(jobs, lambda: gone(int(worker)) and not Path(segment).exists())


@posix
def test_an_engine_that_closes_leaves_no_word_on_stderr(models: Path, jobs: Any, tmp_path: Path) -> None:
    """Above all none from Python's resource tracker, after a result and after a worker that was killed."""
    script = textwrap.dedent(
        f"""
        import asyncio, os, pickle, signal
        from bridge.engine.local import EngineSettings, LocalEngine

        async def main():
            short, long = pickle.load(open({str(tmp_path / "tasks")!r}, "rb"))
            engine = LocalEngine(EngineSettings(models=({str(models)!r},), device="cpu"))
            await engine.start()
            ends = []
            for task in (short, long, short):
                async for event in engine.submit(task):
                    if task is long and getattr(event, "stage", "") == "denoise" and event.step == 1:
                        os.kill(engine.worker_pid, signal.SIGKILL)
                ends.append(type(event).__name__)
            await engine.close()
            print(*ends)

        if __name__ == "__main__":
            asyncio.run(main())
        """
    )
    tasks = (jobs.task("short"), jobs.task("long", checkpoint="slow"))
    (tmp_path / "tasks").write_bytes(pickle.dumps(tasks))
    (tmp_path / "engine.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "engine.py")], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.stdout.split() == ["TaskFinished", "TaskFailed", "TaskFinished"], done.stderr
    # The engine logs the crash, once.
    assert [line for line in done.stderr.splitlines() if "worker process ended" not in line] == []


def test_the_engine_imports_nothing_of_the_workers() -> None:
    unwanted = ("torch", "numpy", "cv2", "PIL", "pyvips", "diffusers", "bridge.painter", "bridge.engine.worker")
    code = f"import sys, bridge.engine.local; print([name for name in {unwanted!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
