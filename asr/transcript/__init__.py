"""Transcripts: what was said in a recording, when, and by which words; written in many formats.

transcript   Transcript and its Segments
rounding     the times as every format writes them: whole milliseconds within the recording
cues         subtitles: what stands on the screen together, from when to when
subtitles    srt and vtt, from cues
textgrid     Praat's TextGrid
formats      all formats by name: render, write_transcript
"""
