/* The kernels in plain C. */
#define OSS_NAME "portable"
#define OSS_TABLE oss_kernels_portable
#define OSS_NO_UNROLL                /* registers are an invention here: unrolling would only take the compiler minutes */
#include "simd_portable.h"
#include "isa.h"
