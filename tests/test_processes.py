"""Processes leave Ctrl-C to the one that started them, and do not outlive it."""

import multiprocessing
import operator
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from waiting import is_running, until

from asr.processes import interrupts_later, make_workers


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked there")
def test_a_process_is_deaf_to_ctrl_c_from_its_first_moment() -> None:
    """Also before it has imported what ignores it."""
    with make_workers(1) as workers:
        with interrupts_later():
            masked = workers.submit(signal.pthread_sigmask, signal.SIG_BLOCK, [])
        handler = workers.submit(signal.getsignal, signal.SIGINT)
        assert signal.SIGINT in masked.result()
        assert handler.result() == signal.SIG_IGN
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked there")
def test_ctrl_c_while_processes_start_comes_afterwards() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with interrupts_later():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the block")
        reached.append("what follows")
    assert reached == ["the end of the block"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked there")
def test_ctrl_c_waits_although_another_thread_does_not_block_it() -> None:
    """As the threads of numerical libraries do not."""
    reached = []
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            with interrupts_later():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.2)
                reached.append("the end of the block")
            reached.append("what follows")
    finally:
        over.set()
        other.join()
    assert reached == ["the end of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_work_begins_with_what_was_given() -> None:
    with make_workers(1, operator.setitem, {}, "a", 1) as workers, interrupts_later():
        assert workers.submit(abs, -3).result() == 3


def have_a_worker(written: Path) -> None:
    """A process of its own, for a test to kill while its worker waits for work."""
    with make_workers(1) as workers, interrupts_later():
        written.write_text(str(workers.submit(os.getpid).result()))
        time.sleep(60)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_worker_does_not_outlive_the_process_it_works_for(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    parent = multiprocessing.get_context("spawn").Process(target=have_a_worker, args=(written,))
    parent.start()
    until(lambda: written.exists() and written.read_text() != "")
    parent.kill()
    parent.join()
    until(lambda: not is_running(int(written.read_text())))
