"""The errors a user can cause.

    AsrError            the root: the command line prints it on one line and exits with status 2
    ├── ConfigError     a recipe, a setting or a command-line option
    ├── DataError       a manifest, a transcript or a corpus
    ├── AudioError      one recording
    └── ModelError      a model folder or a checkpoint

Every message says where, what came, what was expected, and what to do.
"""


class AsrError(Exception):
    """Something the user gave cannot be used; the message says where, what, and what to do."""


class ConfigError(AsrError):
    """A recipe, a setting or a command-line option is wrong."""


class DataError(AsrError):
    """A manifest, a transcript or a corpus is wrong."""


class AudioError(AsrError):
    """One recording cannot be used."""


class ModelError(AsrError):
    """A model folder or a checkpoint cannot be used."""
