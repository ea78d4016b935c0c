"""Decoding: log-probabilities in, hypotheses out."""
