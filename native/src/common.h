/* What the kernels of one instruction set share: included once by each isa_*.c, behind its vocabulary (simd_*.h). */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels.h"
#include "pool.h"

#define INLINE static inline __attribute__((always_inline))      /* gcc and clang, clang-cl included: CMakeLists.txt refuses others */
#define PREFETCH(p) __builtin_prefetch((p), 0, 3)
#if defined(OSS_NO_UNROLL)
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { HALF = 16, PAIR = 32 };       /* outputs of a panel; of the two panels that one task computes side by side */

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }
static inline size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Numbers of any type at any place, one at a time. */
static inline float from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float a;
    memcpy(&a, &wide, 4);
    return a;
}
static inline float from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff, wide;
    float a;
    if (exponent == 0) {
        a = (float)fraction * 0x1p-24f;
        return sign ? -a : a;
    }
    wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&a, &wide, 4);
    return a;
}
static inline float number_at(const void *p, int type, int64_t i)
{
    return type == OSS_F32 ? ((const float *)p)[i] : type == OSS_BF16 ? from_bf16(((const uint16_t *)p)[i]) : from_f16(((const uint16_t *)p)[i]);
}
static inline size_t number_bytes(int type) { return type == OSS_F32 ? 4 : 2; }
static inline const void *number_address(const void *p, int type, int64_t i) { return (const char *)p + (size_t)i * number_bytes(type); }

/* VW numbers of a type that is known when this is compiled. */
INLINE V v_load_as(const void *p, int type, int64_t i)
{
    return type == OSS_F32 ? v_load((const float *)p + i)
         : type == OSS_BF16 ? v_load_bf16((const uint16_t *)p + i) : v_load_f16((const uint16_t *)p + i);
}

/* exp(a), within 2 units in the last place; below -87.3, where float32 ends, as good as 0 (1.2e-38). */
static inline V v_exp(V a)
{
    a = v_max(v_min(a, v_set(88.0f)), v_set(-87.3f));
    V n = v_round(v_mul(a, v_set(1.44269504f)));
    V r = v_fma(n, v_set(-0.693145752f), a);
    r = v_fma(n, v_set(-1.42860677e-6f), r);
    V p = v_set(1.9875691500e-4f);                   /* the coefficients of Cephes' expf */
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, v_mul(r, r), v_add(r, v_set(1.0f)));
    return v_ldexp(p, n);
}

/* a times the normal distribution below it: max(a, 0) - |a| erfc(|a| / sqrt(2)) / 2, which cancels nowhere.
 * ln(erfc(s / sqrt(2))) / s as a polynomial, within 1.6e-8 of erfc; ossicle/model/cpu/kernels.py says how it was found. */
static inline V v_gelu(V a)
{
    V size = v_abs(a), s = v_min(size, v_set(8.0f));
    V p = v_set(-1.96501184e-06f);
    p = v_fma(p, s, v_set(2.72945359e-05f));
    p = v_fma(p, s, v_set(-0.000129050311f));
    p = v_fma(p, s, v_set(-9.49170543e-05f));
    p = v_fma(p, s, v_set(0.00489598974f));
    p = v_fma(p, s, v_set(-0.036387578f));
    p = v_fma(p, s, v_set(-0.318298867f));
    p = v_fma(p, s, v_set(-0.797885328f));
    V tail = v_exp(v_mul(p, s));
    return v_fma(v_mul(size, v_set(-0.5f)), tail, v_max(a, v_set(0.0f)));
}
static inline V v_silu(V a) { return v_div(a, v_add(v_set(1.0f), v_exp(v_sub(v_set(0.0f), a)))); }

/* Apply `fn` to one number, by way of a register. */
#define ONE(fn, a) (v_store(lanes, fn(v_set(a))), lanes[0])

/* y (n) = norm(x); in place is allowed. */
static void normalize_row(int norm, const float *weight, const float *bias, float eps, const float *x, int64_t n, float *y)
{
    float mean = 0, square = 0;
    int64_t i = 0;
    if (norm == OSS_LAYER_NORM) {
        V sum = v_set(0.0f);
        for (; i + VW <= n; i += VW) sum = v_add(sum, v_load(x + i));
        mean = v_sum(sum);
        for (; i < n; i++) mean += x[i];
        mean /= (float)n;
    }
    V centre = v_set(mean), sum = v_set(0.0f);
    for (i = 0; i + VW <= n; i += VW) {
        V a = v_sub(v_load(x + i), centre);
        sum = v_fma(a, a, sum);
    }
    square = v_sum(sum);
    for (; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf(square / (float)n + eps);
    V s = v_set(scale);
    for (i = 0; i + VW <= n; i += VW) {
        V a = v_mul(v_mul(v_sub(v_load(x + i), centre), s), v_load(weight + i));
        v_store(y + i, bias ? v_add(a, v_load(bias + i)) : a);
    }
    for (; i < n; i++) y[i] = (x[i] - mean) * scale * weight[i] + (bias ? bias[i] : 0.0f);
}
