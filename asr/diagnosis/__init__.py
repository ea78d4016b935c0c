"""Diagnosis: what a model's gradients say about its memory."""
