/* The kernels for any arm64. */
#define OSS_NAME "neon"
#define OSS_TABLE oss_kernels_neon
#include "simd_neon.h"
#include "isa.h"
