"""`python -m asr` is the same as `asr`."""

from asr.cli import main

if __name__ == "__main__":  # processes that start beside this one import it too
    main()
