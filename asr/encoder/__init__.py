"""The acoustic model: features in, log-probabilities out."""
