"""The data doctor: what is wrong with recordings, transcripts and sets, and what to do about it."""
