"""Transcripts: what was said in a recording, when, and by which words; written in many formats.

transcript   Transcript and its Segments
"""
