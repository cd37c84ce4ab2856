/* The kernels for AVX2 with FMA and F16C. */
#define OSS_NAME "avx2"
#define OSS_TABLE oss_kernels_avx2
#include "simd_avx2.h"
#include "isa.h"
