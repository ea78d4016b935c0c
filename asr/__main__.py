"""`python -m asr` is the same as `asr`."""

from asr.cli import main

main()
