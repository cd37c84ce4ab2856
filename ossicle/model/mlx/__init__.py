"""The network in MLX: Apple GPUs, NVIDIA GPUs, and MLX on the CPU as a reference for tests."""
