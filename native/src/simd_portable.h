/* The vocabulary of the kernels in plain C: for processors without any of the others, for sanitizers, and as the plainest form. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VW 4
#define TILE_ROWS 6
#define TILE_HALVES 1
#define DOT_ROWS 4
#define DOT_HALVES 1
#define DOT_REGISTERS 4
#define DOT_OFFSET 0

typedef struct { float a[VW]; } V;
typedef struct { int32_t a[VW]; } I;
typedef struct { uint8_t a[4 * VW]; } W;

#define EACH(expression) V r; for (int i = 0; i < VW; i++) r.a[i] = (expression); return r
static inline V v_load(const float *p) { V r; memcpy(r.a, p, sizeof r.a); return r; }
static inline void v_store(float *p, V a) { memcpy(p, a.a, sizeof a.a); }
static inline V v_set(float a) { EACH(a); }
static inline V v_add(V a, V b) { EACH(a.a[i] + b.a[i]); }
static inline V v_sub(V a, V b) { EACH(a.a[i] - b.a[i]); }
static inline V v_mul(V a, V b) { EACH(a.a[i] * b.a[i]); }
static inline V v_div(V a, V b) { EACH(a.a[i] / b.a[i]); }
static inline V v_fma(V a, V b, V c) { EACH(a.a[i] * b.a[i] + c.a[i]); }
static inline V v_max(V a, V b) { EACH(a.a[i] > b.a[i] ? a.a[i] : b.a[i]); }
static inline V v_min(V a, V b) { EACH(a.a[i] < b.a[i] ? a.a[i] : b.a[i]); }
static inline V v_abs(V a) { EACH(fabsf(a.a[i])); }
static inline V v_round(V a) { EACH(rintf(a.a[i])); }
static inline V v_ldexp(V a, V whole)
{
    V r;
    for (int i = 0; i < VW; i++) {
        uint32_t bits = (uint32_t)((int32_t)whole.a[i] + 127) << 23;
        float power;
        memcpy(&power, &bits, 4);
        r.a[i] = a.a[i] * power;
    }
    return r;
}
static inline float v_sum(V a) { return (a.a[0] + a.a[2]) + (a.a[1] + a.a[3]); }
static inline float v_top(V a)
{
    float top = a.a[0];
    for (int i = 1; i < VW; i++) top = a.a[i] > top ? a.a[i] : top;
    return top;
}

static inline V v_load_bf16(const uint16_t *p)
{
    V r;
    for (int i = 0; i < VW; i++) {
        uint32_t wide = (uint32_t)p[i] << 16;
        memcpy(&r.a[i], &wide, 4);
    }
    return r;
}
static inline V v_load_f16(const uint16_t *p)
{
    V r;
    for (int i = 0; i < VW; i++) {
        uint32_t sign = (uint32_t)(p[i] & 0x8000) << 16, exponent = p[i] >> 10 & 31, fraction = p[i] & 0x3ff, wide;
        if (exponent == 0) {
            r.a[i] = (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
            continue;
        }
        wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
        memcpy(&r.a[i], &wide, 4);
    }
    return r;
}
static inline void v_store_f16(uint16_t *p, V a)
{
    for (int i = 0; i < VW; i++) {
        uint32_t wide;
        memcpy(&wide, &a.a[i], 4);
        uint32_t sign = wide >> 16 & 0x8000, size = wide & 0x7fffffff;
        if (size > 0x7f800000) p[i] = (uint16_t)(sign | 0x7e00);
        else if (size >= 0x477ff000) p[i] = (uint16_t)(sign | 0x7c00);       /* 65520 and more round to infinity */
        else if (size < 0x38800000) p[i] = (uint16_t)(sign | (uint32_t)rintf(fabsf(a.a[i]) * 0x1p24f));
        else p[i] = (uint16_t)(sign | (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13);
    }
}

static inline I v_store_i8(int8_t *p, V a, I sum)
{
    for (int i = 0; i < VW; i++) {
        p[i] = (int8_t)rintf(a.a[i]);
        sum.a[i] += p[i];
    }
    return sum;
}
static inline void v_store_u8(uint8_t *p, V a)
{
    for (int i = 0; i < VW; i++) p[i] = (uint8_t)rintf(a.a[i]);
}

static inline I i_set(int32_t a)
{
    I r;
    for (int i = 0; i < VW; i++) r.a[i] = a;
    return r;
}
static inline I i_add(I a, I b)
{
    for (int i = 0; i < VW; i++) a.a[i] += b.a[i];
    return a;
}
static inline int32_t i_sum(I a) { return a.a[0] + a.a[1] + a.a[2] + a.a[3]; }
static inline V v_from_i(I a) { EACH((float)a.a[i]); }

static inline W w_load(const uint8_t *p, int i) { W r; memcpy(r.a, p + 16 * i, 16); return r; }
static inline W w_load_small(const uint8_t *p, int i) { return w_load(p, i); }
static inline W w_low(const uint8_t *p, int i)
{
    W r = w_load(p, i);
    for (int j = 0; j < 16; j++) r.a[j] &= 15;
    return r;
}
static inline W w_high(const uint8_t *p, int i)
{
    W r = w_load(p, i);
    for (int j = 0; j < 16; j++) r.a[j] >>= 4;
    return r;
}
static inline void w_store_small(uint8_t *p, int i, W a) { memcpy(p + 16 * i, a.a, 16); }
static inline I i_dot(I sum, W w, I x)
{
    int8_t bytes[16];
    memcpy(bytes, x.a, 16);
    for (int i = 0; i < VW; i++)
        for (int j = 0; j < 4; j++) sum.a[i] += w.a[4 * i + j] * bytes[4 * i + j];
    return sum;
}
static inline I i_dot_small(I sum, W w, I x) { return i_dot(sum, w, x); }

static inline void v_transpose(V r[VW])
{
    V t[VW];
    for (int i = 0; i < VW; i++)
        for (int j = 0; j < VW; j++) t[i].a[j] = r[j].a[i];
    memcpy(r, t, sizeof t);
}
#undef EACH
