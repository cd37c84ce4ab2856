"""Log-mel to logits: configuration, checkpoints, and the engines that keep the promise of network.py."""
