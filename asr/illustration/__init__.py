"""Pictures of utterances: their sound, what a model makes of it frame by frame, and the words."""
