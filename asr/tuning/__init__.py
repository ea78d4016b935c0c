"""Tuning of decoding: what a development set says is best."""
