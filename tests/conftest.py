"""Before torch is imported: the tests' models are too small to share between threads."""

import os
import signal
from pathlib import Path

import pytest

# What a shell starts in the background does not hear Ctrl-C, what nohup starts does not hear that
# the terminal is gone, and neither do their children: ours shall.
for number, handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Threads that wait for each other on a busy machine make such a model forty times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def tone_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bidirectional model that hears each utterance normalised by itself."""
    from trained_model import train_model

    return train_model(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="session")
def one_way_tone_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-way model with global CMVN, which can be fed piece by piece."""
    from trained_model import ONE_WAY, train_model

    return train_model(tmp_path_factory.mktemp("one_way"), *ONE_WAY)
