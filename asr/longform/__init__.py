"""Recordings of any length in bounded memory: windows in, one stream of log-probabilities out.

windows        a stream of samples, cut into overlapping windows
stitching      the windows' log-probabilities, joined where both hear nothing
segmentation   the joined stream, cut at pauses
"""
