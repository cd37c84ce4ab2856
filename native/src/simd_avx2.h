/* The vocabulary of the kernels for AVX2 with FMA and F16C: 8 float32 to a register. Included by two variants: plain AVX2,
 * whose integer products go through 16 bits, and AVX-VNNI (OSS_VNNI), which has an instruction for them. */
#include <immintrin.h>
#include <stdint.h>

#define VW 8
#define TILE_ROWS 6                  /* 6 x 2 sums, 2 weights and 1 activation fill 15 of 16 registers */
#define TILE_HALVES 1
#define DOT_ROWS 4
#define DOT_HALVES 1
#define DOT_REGISTERS 2
#ifdef OSS_VNNI
#define DOT_OFFSET 0
#else
#define DOT_OFFSET 128
#endif

typedef __m256 V;
typedef __m256i I;
#ifdef OSS_VNNI
typedef __m256i W;
#else
typedef struct { __m256i signed_, size; } W;         /* a number and its magnitude */
#endif

static inline V v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_store(float *p, V a) { _mm256_storeu_ps(p, a); }
static inline V v_set(float a) { return _mm256_set1_ps(a); }
static inline V v_add(V a, V b) { return _mm256_add_ps(a, b); }
static inline V v_sub(V a, V b) { return _mm256_sub_ps(a, b); }
static inline V v_mul(V a, V b) { return _mm256_mul_ps(a, b); }
static inline V v_div(V a, V b) { return _mm256_div_ps(a, b); }
static inline V v_fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
static inline V v_max(V a, V b) { return _mm256_max_ps(a, b); }
static inline V v_min(V a, V b) { return _mm256_min_ps(a, b); }
static inline V v_abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline V v_round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline V v_ldexp(V a, V whole)
{
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23)));
}
static inline float v_sum(V a)
{
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
static inline float v_top(V a)
{
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

static inline V v_load_bf16(const uint16_t *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), 16));
}
static inline V v_load_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p)); }
static inline void v_store_f16(uint16_t *p, V a) { _mm_storeu_si128((void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }

static inline __m128i narrow(__m256i a)              /* the lowest bytes of 8 whole numbers */
{
    const __m256i lowest = _mm256_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 12, 8, 4, 0,
                                           -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 12, 8, 4, 0);
    a = _mm256_shuffle_epi8(a, lowest);
    return _mm_unpacklo_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
static inline I v_store_i8(int8_t *p, V a, I sum)
{
    I whole = _mm256_cvtps_epi32(a);
    _mm_storel_epi64((void *)p, narrow(whole));
    return _mm256_add_epi32(sum, whole);
}
static inline void v_store_u8(uint8_t *p, V a) { _mm_storel_epi64((void *)p, narrow(_mm256_cvtps_epi32(a))); }

static inline I i_set(int32_t a) { return _mm256_set1_epi32(a); }
static inline I i_add(I a, I b) { return _mm256_add_epi32(a, b); }
static inline int32_t i_sum(I a)
{
    __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}
static inline V v_from_i(I a) { return _mm256_cvtepi32_ps(a); }

static inline __m256i bytes(const uint8_t *p, int i) { return _mm256_loadu_si256((const void *)(p + 32 * i)); }
static inline __m256i low_halves(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }

#ifdef OSS_VNNI
#ifdef OSS_VNNI_EVEX                 /* the same instruction as AVX-512 encodes it: lets processors without the other test this file */
#define DPBUSD _mm256_dpbusd_epi32
#else
#define DPBUSD _mm256_dpbusd_avx_epi32
#endif
static inline W w_load(const uint8_t *p, int i) { return bytes(p, i); }
static inline W w_load_small(const uint8_t *p, int i) { return bytes(p, i); }
static inline W w_low(const uint8_t *p, int i) { return low_halves(bytes(p, i)); }
static inline W w_high(const uint8_t *p, int i) { return low_halves(_mm256_srli_epi16(bytes(p, i), 4)); }
static inline void w_store_small(uint8_t *p, int i, W a) { _mm256_storeu_si256((void *)(p + 32 * i), a); }
static inline I i_dot(I sum, W w, I x) { return DPBUSD(sum, w, x); }
static inline I i_dot_small(I sum, W w, I x) { return DPBUSD(sum, w, x); }
#else
/* maddubs saturates at 16 bits: 255 * 127 twice would, 128 * 127 twice does not. So |w| times x with the sign of w. */
static inline W w_load(const uint8_t *p, int i)
{
    __m256i a = _mm256_xor_si256(bytes(p, i), _mm256_set1_epi8((char)0x80));
    return (W){a, _mm256_abs_epi8(a)};
}
static inline W w_load_small(const uint8_t *p, int i) { return (W){bytes(p, i), _mm256_setzero_si256()}; }
static inline W w_low(const uint8_t *p, int i) { return (W){low_halves(bytes(p, i)), _mm256_setzero_si256()}; }
static inline W w_high(const uint8_t *p, int i) { return (W){low_halves(_mm256_srli_epi16(bytes(p, i), 4)), _mm256_setzero_si256()}; }
static inline void w_store_small(uint8_t *p, int i, W a) { _mm256_storeu_si256((void *)(p + 32 * i), a.signed_); }
static inline I i_dot(I sum, W w, I x)
{
    __m256i pairs = _mm256_maddubs_epi16(w.size, _mm256_sign_epi8(x, w.signed_));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static inline I i_dot_small(I sum, W w, I x)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w.signed_, x), _mm256_set1_epi16(1)));
}
#endif

static inline void v_transpose(V r[8])
{
    V t[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        V a = r[i], b = r[i + 4];
        r[i] = _mm256_permute2f128_ps(a, b, 0x20);
        r[i + 4] = _mm256_permute2f128_ps(a, b, 0x31);
    }
}
