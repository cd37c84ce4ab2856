/* The kernels for AVX2 with AVX-VNNI. */
#define OSS_NAME "avxvnni"
#define OSS_TABLE oss_kernels_avxvnni
#define OSS_VNNI
#include "simd_avx2.h"
#include "isa.h"
