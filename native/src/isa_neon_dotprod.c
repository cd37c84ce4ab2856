/* The kernels for arm64 with dot products of bytes: Armv8.2 and later. */
#define OSS_NAME "neon_dotprod"
#define OSS_TABLE oss_kernels_neon_dotprod
#define OSS_DOTPROD
#include "simd_neon.h"
#include "isa.h"
