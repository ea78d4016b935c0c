"""Speech transcribed while it is spoken.

hearing       log-probabilities of sound that still comes in: exactly, or heard again and again
transcriber   partial and final results
"""
