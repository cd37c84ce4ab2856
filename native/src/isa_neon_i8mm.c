/* The kernels for arm64 with matrix products of bytes: Armv8.6 and later. */
#define OSS_NAME "neon_i8mm"
#define OSS_TABLE oss_kernels_neon_i8mm
#define OSS_I8MM
#include "simd_neon.h"
#include "isa.h"
