/* The vocabulary of the kernels for NEON: 4 float32 to a register. Included by three variants, which differ in how they
 * multiply bytes: through 16 bits on any arm64, by SDOT of 4 neighbours (OSS_DOTPROD), by USDOT of unsigned codes times signed
 * activations (OSS_I8MM), which spares turning codes around. */
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define VW 4
#define TILE_ROWS 6                  /* 6 x 4 sums, 4 weights and 1 activation fill 29 of 32 registers; 7 rows spill in gcc and clang */
#define TILE_HALVES 1
#define DOT_ROWS 4                   /* 4 x 4 integer sums and as many float sums; with 6 rows clang spills inside the loop */
#define DOT_HALVES 1
#define DOT_REGISTERS 4
#ifdef OSS_I8MM
#define DOT_PAIRS                    /* pairs of rows have an instruction of their own: pairs.h */
#define DOT_OFFSET 0
#else
#define DOT_OFFSET 128
#endif

typedef float32x4_t V;
typedef int32x4_t I;
typedef uint8x16_t W;                /* int8 in those bytes, unless OSS_I8MM */

static inline V v_load(const float *p) { return vld1q_f32(p); }
static inline void v_store(float *p, V a) { vst1q_f32(p, a); }
static inline V v_set(float a) { return vdupq_n_f32(a); }
static inline V v_add(V a, V b) { return vaddq_f32(a, b); }
static inline V v_sub(V a, V b) { return vsubq_f32(a, b); }
static inline V v_mul(V a, V b) { return vmulq_f32(a, b); }
static inline V v_div(V a, V b) { return vdivq_f32(a, b); }
static inline V v_fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
static inline V v_max(V a, V b) { return vmaxq_f32(a, b); }
static inline V v_min(V a, V b) { return vminq_f32(a, b); }
static inline V v_abs(V a) { return vabsq_f32(a); }
static inline V v_round(V a) { return vrndnq_f32(a); }
static inline V v_ldexp(V a, V whole)
{
    return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(whole), vdupq_n_s32(127)), 23)));
}
static inline float v_sum(V a) { return vaddvq_f32(a); }
static inline float v_top(V a) { return vmaxvq_f32(a); }

static inline V v_load_bf16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
static inline V v_load_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
static inline void v_store_f16(uint16_t *p, V a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }

static inline void narrow(void *p, I a)              /* the lowest bytes of 4 whole numbers */
{
    int16x4_t halves = vmovn_s32(a);
    uint32_t lowest = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(halves, halves))), 0);
    memcpy(p, &lowest, 4);
}
static inline I v_store_i8(int8_t *p, V a, I sum)
{
    I whole = vcvtnq_s32_f32(a);
    narrow(p, whole);
    return vaddq_s32(sum, whole);
}
static inline void v_store_u8(uint8_t *p, V a) { narrow(p, vcvtnq_s32_f32(a)); }

static inline I i_set(int32_t a) { return vdupq_n_s32(a); }
static inline I i_add(I a, I b) { return vaddq_s32(a, b); }
static inline int32_t i_sum(I a) { return vaddvq_s32(a); }
static inline V v_from_i(I a) { return vcvtq_f32_s32(a); }

static inline W w_load_small(const uint8_t *p, int i) { return vld1q_u8(p + 16 * i); }
static inline W w_low(const uint8_t *p, int i) { return vandq_u8(w_load_small(p, i), vdupq_n_u8(15)); }
static inline W w_high(const uint8_t *p, int i) { return vshrq_n_u8(w_load_small(p, i), 4); }
static inline void w_store_small(uint8_t *p, int i, W a) { vst1q_u8(p + 16 * i, a); }

#ifdef OSS_I8MM
static inline W w_load(const uint8_t *p, int i) { return w_load_small(p, i); }
static inline I i_dot(I sum, W w, I x) { return vusdotq_s32(sum, w, vreinterpretq_s8_s32(x)); }

/* 2 outputs x 8 inputs, out of 4 outputs x 4 inputs and the next 4; `w_pair_high` has the other 2 outputs. */
static inline W w_pair_low(W a, W b) { return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b))); }
static inline W w_pair_high(W a, W b) { return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b))); }

/* 2 rows x 8 inputs, out of words of 4 inputs: 2 neighbours are 2 rows, `next` words on come the next 4 inputs. */
static inline I i_load_pair(const int32_t *words, int next)
{
    int32x2_t a = vld1_s32(words), b = vld1_s32(words + next);
    return vcombine_s32(vzip1_s32(a, b), vzip2_s32(a, b));
}

/* Sums of one row each (4 outputs) to and from sums of 2 outputs x 2 rows, which are what i_dot_pair adds to. */
static inline void i_join(I *a, I *b)
{
    I low = vzip1q_s32(*a, *b), high = vzip2q_s32(*a, *b);
    *a = low, *b = high;
}
static inline void i_part(I *a, I *b)
{
    I even = vuzp1q_s32(*a, *b), odd = vuzp2q_s32(*a, *b);
    *a = even, *b = odd;
}
static inline I i_dot_pair(I sum, W w, I x) { return vusmmlaq_s32(sum, w, vreinterpretq_s8_s32(x)); }
#else
static inline W w_load(const uint8_t *p, int i) { return veorq_u8(w_load_small(p, i), vdupq_n_u8(0x80)); }
#ifdef OSS_DOTPROD
static inline I i_dot(I sum, W w, I x) { return vdotq_s32(sum, vreinterpretq_s8_u8(w), vreinterpretq_s8_s32(x)); }
#else
static inline I i_dot(I sum, W w, I x)
{
    int8x16_t a = vreinterpretq_s8_u8(w), b = vreinterpretq_s8_s32(x);
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(sum, vpaddq_s16(low, high));      /* 2 x 128 x 127 is within 16 bits */
}
#endif
#endif
static inline I i_dot_small(I sum, W w, I x) { return i_dot(sum, w, x); }

static inline void v_transpose(V r[4])
{
    V a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]), c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}
