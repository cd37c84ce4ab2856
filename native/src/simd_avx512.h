/* The vocabulary of the kernels for AVX-512 with VNNI: 16 float32 to a register, 64 int8 products to an instruction. */
#include <immintrin.h>
#include <stdint.h>

#define VW 16                        /* float32 in a register */
#define TILE_ROWS 14                 /* of a float product: 14 x 2 sums, 2 weights and 1 activation fill 31 of 32 registers */
#define TILE_HALVES 2                /* halves of 16 outputs that a float product computes at once */
#define DOT_ROWS 6                   /* of an integer product: 6 x 2 integer and 6 x 2 float sums, 2 weights */
#define DOT_HALVES 2
#define DOT_REGISTERS 1              /* integer registers that 16 outputs take */
#define DOT_OFFSET 0                 /* what `w_load` subtracts from a code of 8 bits */

typedef __m512 V;
typedef __m512i I;
typedef __m512i W;                   /* weights of 4 inputs times 16 outputs, ready to be multiplied */

static inline V v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, V a) { _mm512_storeu_ps(p, a); }
static inline V v_set(float a) { return _mm512_set1_ps(a); }
static inline V v_add(V a, V b) { return _mm512_add_ps(a, b); }
static inline V v_sub(V a, V b) { return _mm512_sub_ps(a, b); }
static inline V v_mul(V a, V b) { return _mm512_mul_ps(a, b); }
static inline V v_div(V a, V b) { return _mm512_div_ps(a, b); }
static inline V v_fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
static inline V v_max(V a, V b) { return _mm512_max_ps(a, b); }
static inline V v_min(V a, V b) { return _mm512_min_ps(a, b); }
static inline V v_abs(V a) { return _mm512_abs_ps(a); }
static inline V v_round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline V v_ldexp(V a, V whole) { return _mm512_scalef_ps(a, whole); }
static inline float v_sum(V a) { return _mm512_reduce_add_ps(a); }
static inline float v_top(V a) { return _mm512_reduce_max_ps(a); }

static inline V v_load_bf16(const uint16_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16));
}
static inline V v_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
static inline void v_store_f16(uint16_t *p, V a) { _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }

/* To whole numbers of int8 (the caller keeps them in range), and their sum so far. */
static inline I v_store_i8(int8_t *p, V a, I sum)
{
    I whole = _mm512_cvtps_epi32(a);
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(whole));
    return _mm512_add_epi32(sum, whole);
}
static inline void v_store_u8(uint8_t *p, V a) { _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a))); }

static inline I i_set(int32_t a) { return _mm512_set1_epi32(a); }
static inline I i_add(I a, I b) { return _mm512_add_epi32(a, b); }
static inline int32_t i_sum(I a) { return _mm512_reduce_add_epi32(a); }
static inline V v_from_i(I a) { return _mm512_cvtepi32_ps(a); }

/* Register `i` of the 64 bytes that hold 4 inputs of 16 outputs; the low or the high halves of 64 bytes for 4 bits. */
static inline W w_load(const uint8_t *p, int i) { (void)i; return _mm512_loadu_si512(p); }
static inline W w_load_small(const uint8_t *p, int i) { (void)i; return _mm512_loadu_si512(p); }
static inline W w_low(const uint8_t *p, int i) { (void)i; return _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(15)); }
static inline W w_high(const uint8_t *p, int i)
{
    (void)i;
    return _mm512_and_si512(_mm512_srli_epi16(_mm512_loadu_si512(p), 4), _mm512_set1_epi8(15));
}
static inline void w_store_small(uint8_t *p, int i, W a) { (void)i; _mm512_storeu_si512(p, a); }

static inline I i_dot(I sum, W w, I x) { return _mm512_dpbusd_epi32(sum, w, x); }
static inline I i_dot_small(I sum, W w, I x) { return _mm512_dpbusd_epi32(sum, w, x); }      /* codes below 16 */

static inline void v_transpose(V r[16])
{
    V t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]);
        __m512d c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
        r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
