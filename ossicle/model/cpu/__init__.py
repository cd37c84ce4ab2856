"""The network on any processor, in NumPy: readable and float32; the same functions will be C kernels."""
