"""Scoring: strings in, error rates out."""
