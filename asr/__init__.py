"""A speech recogniser people train themselves.

    recording ─ audio ─ features ─ encoder ─ decoding ─ scoring
      file     Waveform  (T, F)   log-probs  hypothesis  WER

`asr.audio` reads recordings, `asr.features` turns them into frames, `asr.encoder` turns frames
into log-probabilities of tokens, `asr.decoding` turns those into text, `asr.scoring` counts errors.
`asr.recipe` runs the whole way in stages; `asr.cli` is the command line.
"""

__version__ = "0.1.0"
