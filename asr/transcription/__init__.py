"""Recordings of any length and format, transcribed.

transcriber   many recordings through one model, in bounded memory
files         what the user named, delivered where the user wants it
"""
