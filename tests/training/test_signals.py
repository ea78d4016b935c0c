"""Requests to stop: remembered once, obeyed at once the second time."""

import os
import signal
import threading

import pytest

from asr.training.signals import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_request_is_only_remembered(number: signal.Signals) -> None:
    with stop_requests() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop(), "it stays so"


def test_the_second_request_interrupts() -> None:
    with stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="in the block"), stop_requests():
        raise ValueError("in the block")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_there_are_no_requests() -> None:
    """Only the main thread may set signal handlers; a training in another runs through."""
    answers = []

    def work() -> None:
        with stop_requests() as stop:
            answers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
