"""Before torch is imported: the tests' models are too small to share between threads."""

import os

# Threads that wait for each other on a busy machine make such a model forty times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
