/* The kernels for AVX-512 with VNNI. */
#define OSS_NAME "avx512"
#define OSS_TABLE oss_kernels_avx512
#include "simd_avx512.h"
#include "isa.h"
