/* Which instruction sets this processor, and the system on it, can run. */
#include "processor.h"

#if defined(__x86_64__) || defined(_M_X64)
#ifdef _MSC_VER
#include <intrin.h>
static void cpuid(int leaf, int sub, unsigned out[4]) { __cpuidex((int *)out, leaf, sub); }
static unsigned long long enabled_state(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(int leaf, int sub, unsigned out[4])
{
    if (!__get_cpuid_count((unsigned)leaf, (unsigned)sub, out, out + 1, out + 2, out + 3)) out[0] = out[1] = out[2] = out[3] = 0;
}
static unsigned long long enabled_state(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}
#endif

static int has(unsigned word, int bit) { return (int)(word >> bit & 1); }

processor_features detect_features(void)
{
    processor_features found = {0};
    unsigned zero[4], one[4], seven[4], more[4];
    cpuid(0, 0, zero);
    cpuid(1, 0, one);
    cpuid(7, 0, seven);
    cpuid(7, 1, more);
    if (!has(one[2], 27)) return found;                          /* the system saves no registers beyond SSE */
    unsigned long long state = enabled_state();
    int has_ymm = (state & 0x6) == 0x6, has_zmm = (state & 0xe6) == 0xe6;
    found.avx2 = has_ymm && has(one[2], 12) && has(one[2], 29) && has(seven[1], 5);                  /* FMA, F16C, AVX2 */
    found.avxvnni = found.avx2 && has(more[0], 4);
    found.avx512 = found.avx2 && has_zmm && has(seven[1], 16) && has(seven[1], 17) && has(seven[1], 30) && has(seven[1], 31)
                && has(seven[2], 11);                                                                /* F, DQ, BW, VL, VNNI */
#ifdef OSS_VNNI_EVEX
    found.avxvnni = found.avx512;                                /* which encodes the same instruction in its own way */
#endif
    /* Prefetching gained 18 % on Cascade Lake, and cost up to 25 % on Zen 4 (docs/log.md): "Genu", as in GenuineIntel. */
    found.read_ahead = zero[1] == 0x756e6547 ? 2048 : 0;
    return found;
}

#elif defined(__aarch64__) || defined(_M_ARM64)                 /* NEON belongs to every arm64, its byte products do not */
#if defined(__APPLE__)
#include <sys/sysctl.h>
static int has(const char *name)
{
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, 0, 0) == 0 && value;
}
processor_features detect_features(void)
{
    processor_features found = {.neon = 1};
    found.neon_dotprod = has("hw.optional.arm.FEAT_DotProd");
    found.neon_i8mm = found.neon_dotprod && has("hw.optional.arm.FEAT_I8MM");
    return found;
}
#elif defined(_WIN32)
#include <windows.h>
processor_features detect_features(void)
{
    processor_features found = {.neon = 1};
    found.neon_dotprod = IsProcessorFeaturePresent(43);          /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE */
    return found;
}
#else
#include <sys/auxv.h>
processor_features detect_features(void)
{
    processor_features found = {.neon = 1};
    found.neon_dotprod = getauxval(AT_HWCAP) >> 20 & 1;                              /* HWCAP_ASIMDDP */
    found.neon_i8mm = found.neon_dotprod && (getauxval(AT_HWCAP2) >> 13 & 1);        /* HWCAP2_I8MM */
    return found;
}
#endif

#else
processor_features detect_features(void)
{
    processor_features none = {0};
    return none;
}
#endif
