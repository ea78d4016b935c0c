"""Augmentation: training utterances varied anew in each epoch, as (seed, epoch, id) say.

settings      what is varied, and how much
draw          the source of chance of one utterance in one epoch
recordings    the user's folders of noise and of impulse responses
waveform      speed, reverberation, noise, band limits: pure functions of waveforms
chain         the effects on a waveform, in the order of nature
spectrogram   frequency warp and SpecAugment masks
"""
