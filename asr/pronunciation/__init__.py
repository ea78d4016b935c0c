"""Pronunciations: words as phones, from a dictionary, and by ear for words that are not in it.

dictionary   word -> pronunciations, read from a file in CMUdict's format
alignment    which letters stand for which phones
speller      letters -> phones, learned from a dictionary
"""
