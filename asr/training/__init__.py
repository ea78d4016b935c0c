"""Training: CTC loss, optimiser, checkpoints, the loop."""
