"""Language models: how probable a sequence of words is, learned from text."""
