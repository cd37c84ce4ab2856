/* What test_kernels.c compares with: numbers, formats and products as ossicle.h describes them, in plain loops and double. */
#ifndef OSSICLE_REFERENCE_H
#define OSSICLE_REFERENCE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ossicle.h"

/* -- memory and numbers ------------------------------------------------------------------------------------------- */

enum { MOST_ROOMS = 4096 };
static void *rooms[MOST_ROOMS];
static int num_rooms;

/* Memory of exactly this size, so that AddressSanitizer sees the first byte too much; full of NaN. Lives until `leave`. */
static void *room(size_t bytes)
{
    void *p = NULL;
    if (num_rooms == MOST_ROOMS || posix_memalign(&p, 64, bytes ? bytes : 1) != 0) abort();
    memset(p, 0xff, bytes);
    return rooms[num_rooms++] = p;
}
static void leave(int first)
{
    while (num_rooms > first) free(rooms[--num_rooms]);
}

static double *doubles(int64_t n) { return room(sizeof(double) * (size_t)n); }

static uint64_t state = 1;
static uint32_t bits32(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}
static float number(void) { return (float)(int32_t)bits32() * 0x1p-31f; }       /* -1 to 1 */
static float *numbers(int64_t n, float size)
{
    float *p = room(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) p[i] = number() * size;
    return p;
}

static double from_f16(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    double size = exponent == 0 ? fraction * 0x1p-24 : exponent < 31 ? ldexp(1024 + fraction, exponent - 25) : fraction ? NAN : INFINITY;
    return bits & 0x8000 ? -size : size;
}
static uint16_t to_f16(float a)                      /* to the nearest, to the even one of two */
{
    double size = fabs(a);
    uint16_t sign = signbit(a) ? 0x8000 : 0;
    if (isnan(a)) return sign | 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    int exponent = size < 0x1p-14 ? -14 : ilogb(size);
    return (uint16_t)(sign | (((exponent + 14) << 10) + (int)rint(ldexp(size, 10 - exponent))));
}
static double from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float a;
    memcpy(&a, &wide, 4);
    return a;
}

static double read_number(const void *p, int type, int64_t i)
{
    return type == OSS_F32 ? ((const float *)p)[i]
         : type == OSS_F16 ? from_f16(((const uint16_t *)p)[i]) : from_bf16(((const uint16_t *)p)[i]);
}
/* n numbers of a type, from -size to size. */
static void *numbers_of(int type, int64_t n, float size)
{
    if (type == OSS_F32) return numbers(n, size);
    uint16_t *p = room(2 * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        float a = number() * size;
        uint32_t wide;
        memcpy(&wide, &a, 4);
        p[i] = type == OSS_F16 ? to_f16(a) : (uint16_t)(wide >> 16);
    }
    return p;
}

/* Numbers that are hard to round to float16: halfway between two, too small, too large. */
static float hard_number(void)
{
    uint16_t bits = (uint16_t)(bits32() % 0x7bff);
    double a = bits32() % 2 ? (from_f16(bits) + from_f16(bits + 1)) / 2 : number() * ldexp(1, (int)(bits32() % 44) - 26);
    return (float)(bits32() % 2 ? a : -a);
}

static const float UNTOUCHED = 777;
static float *untouched(int64_t n)
{
    float *p = room(sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) p[i] = UNTOUCHED;
    return p;
}

/* -- matrices ----------------------------------------------------------------------------------------------------- */

typedef struct format { const char *name; int type, group; bool has_biases; } format;

static const format formats[] = {
    {"f32", OSS_F32, 0, false}, {"f16", OSS_F16, 0, false}, {"bf16", OSS_BF16, 0, false},
    {"q8/32", OSS_Q8, 32, false}, {"q8/64", OSS_Q8, 64, false}, {"q8/32 biased", OSS_Q8, 32, true}, {"q8/64 biased", OSS_Q8, 64, true},
    {"q4/32", OSS_Q4, 32, false}, {"q4/64", OSS_Q4, 64, false}, {"q4/32 biased", OSS_Q4, 32, true}, {"q4/64 biased", OSS_Q4, 64, true},
};
enum { NUM_FORMATS = sizeof formats / sizeof *formats };

/* A matrix without its numbers. */
static oss_matrix empty_matrix(format f, int outputs, int inputs)
{
    oss_matrix m = {.unit = 0x1p-12f, .type = f.type, .outputs = outputs, .inputs = inputs, .group = f.group};
    if (f.group) {
        m.codes = room(oss_codes_bytes(f.type, outputs, inputs));
        m.scales = room(oss_scales_bytes(outputs, inputs, f.group));
        m.biases = f.has_biases ? room(oss_scales_bytes(outputs, inputs, f.group)) : NULL;
    }
    return m;
}
static oss_matrix random_matrix(format f, int outputs, int inputs)
{
    oss_matrix m = empty_matrix(f, outputs, inputs);
    int type = f.group ? OSS_F32 : f.type;
    void *rows = numbers_of(type, (int64_t)outputs * inputs, 0.25f);
    size_t row_bytes = (size_t)inputs * (type == OSS_F32 ? 4 : 2);
    if (outputs > 48) memcpy((char *)rows + 48 * row_bytes, rows, (size_t)(outputs - 48) * row_bytes);   /* equal outputs, tasks apart */
    if (!f.group) m.codes = rows;
    else if (oss_quantize(rows, type, &m, 1) != OSS_OK) abort();
    return m;
}

static int64_t scale_place(const oss_matrix *m, int64_t o, int64_t i)
{
    return (o / 16 * (m->inputs / m->group) + i / m->group) * 16 + o % 16;
}
static int code_at(const oss_matrix *m, int64_t o, int64_t i)
{
    const uint8_t *codes = m->codes;
    if (m->type == OSS_Q8) return codes[((o / 16 * (m->inputs / 4) + i / 4) * 16 + o % 16) * 4 + i % 4];
    int both = codes[((o / 16 * (m->inputs / 8) + i / 8) * 16 + o % 16) * 4 + i % 4];
    return i % 8 < 4 ? both & 15 : both >> 4;
}
static double weight_at(const oss_matrix *m, int64_t o, int64_t i)
{
    if (!m->group) return read_number(m->codes, m->type, o * m->inputs + i);
    double scale = from_f16(m->scales[scale_place(m, o, i)]), code = code_at(m, o, i);
    if (m->biases) return (code * scale + from_f16(m->biases[scale_place(m, o, i)])) * m->unit;
    return (code - (m->type == OSS_Q8 ? 128 : 8)) * scale * m->unit;
}

/* Panels of rows (outputs, inputs), written into `m`. */
static void expected_panels(const void *rows, int type, const oss_matrix *m)
{
    int64_t panels = (m->outputs + 15) / 16;
    uint8_t *codes = (uint8_t *)m->codes;
    uint16_t *scales = (uint16_t *)m->scales, *biases = (uint16_t *)m->biases;
    float top = m->type == OSS_Q8 ? 127 : 7, most = 2 * top + 1;
    memset(codes, 0, oss_codes_bytes(m->type, m->outputs, m->inputs));
    for (int64_t o = 0; o < panels * 16; o++)
        for (int64_t i = 0; i < m->inputs; i += m->group) {
            float low = INFINITY, high = -INFINITY, start = 0;
            int64_t at = scale_place(m, o, i);
            if (o >= m->outputs) {
                scales[at] = 0;
                if (biases) biases[at] = 0;
                continue;
            }
            for (int j = 0; j < m->group; j++) {
                float weight = (float)read_number(rows, type, o * m->inputs + i + j);
                low = weight < low ? weight : low, high = weight > high ? weight : high;     /* gcc 12 fails over fminf here, on arm64 */
            }
            scales[at] = to_f16(biases ? (high - low) / most / m->unit : (-low > high ? -low : high) / top / m->unit);
            if (biases) {
                biases[at] = to_f16(low / m->unit);
                start = (float)from_f16(biases[at]) * m->unit;
            }
            float size = (float)from_f16(scales[at]) * m->unit, inverse = size > 0 ? 1 / size : 0;
            for (int j = 0; j < m->group; j++) {
                float code = rintf(((float)read_number(rows, type, o * m->inputs + i + j) - start) * inverse);
                unsigned found = (unsigned)(biases ? fminf(fmaxf(code, 0), most) : fminf(fmaxf(code, -top), top) + top + 1);
                int64_t k = i + j, place = ((o / 16 * (m->inputs / 4) + k / 4) * 16 + o % 16) * 4 + k % 4;
                if (m->type == OSS_Q4) place = ((o / 16 * (m->inputs / 8) + k / 8) * 16 + o % 16) * 4 + k % 4;
                codes[place] |= (uint8_t)(m->type == OSS_Q4 && k % 8 >= 4 ? found << 4 : found);
            }
        }
}

/* -- what is computed --------------------------------------------------------------------------------------------- */

static double gelu(double a) { return a / 2 * erfc(-a / sqrt(2)); }
static double silu(double a) { return a / (1 + exp(-a)); }

static void expected_norm(int norm, const float *weight, const float *bias, double eps, const float *x, int64_t n, double *y)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n && norm == OSS_LAYER_NORM; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(square + eps) * weight[i] + (bias ? bias[i] : 0);
}

/* Activations as Q8 and Q4 panels meet them: int8, times one scale a group. */
static void round_to_int8(double *x, int64_t n, int group)
{
    for (int64_t i = 0; i < n; i += group) {
        float largest = 0, inverse;
        for (int j = 0; j < group; j++) largest = fmaxf(largest, fabsf((float)x[i + j]));
        inverse = 127 / largest;
        for (int j = 0; j < group; j++) x[i + j] = isfinite(inverse) ? rintf((float)x[i + j] * inverse) * (double)(largest / 127) : 0;
    }
}

static int num_outputs(const oss_linear *op)
{
    int sum = 0;
    for (int p = 0; p < (op->activation == OSS_SWIGLU ? 1 : op->num_parts); p++) sum += op->parts[p].outputs;
    return sum;
}

/* y (m, outputs), without what `add` adds to. */
static double *expected_product(const oss_linear *op, const float *x, int64_t x_stride, int64_t m)
{
    int64_t k = op->parts->inputs, n = 0;
    for (int p = 0; p < op->num_parts; p++) n += op->parts[p].outputs;
    double *weights = doubles(n * k), *row = doubles(k), *sums = doubles(n);
    int64_t outputs = num_outputs(op), at = 0;
    double *y = doubles(m * outputs);
    for (int p = 0; p < op->num_parts; p++)
        for (int64_t o = 0; o < op->parts[p].outputs; o++)
            for (int64_t i = 0; i < k; i++) weights[at++] = weight_at(op->parts + p, o, i);
    for (int64_t r = 0; r < m; r++, x += x_stride) {
        for (int64_t i = 0; i < k; i++) row[i] = x[i];
        if (op->norm) expected_norm(op->norm, op->norm_weight, op->norm_bias, op->norm_eps, x, k, row);
        if (op->parts->group) round_to_int8(row, k, op->parts->group);
        for (int64_t o = 0; o < n; o++) {
            sums[o] = op->bias ? op->bias[o] : 0;
            for (int64_t i = 0; i < k; i++) sums[o] += row[i] * weights[o * k + i];
        }
        for (int64_t o = 0; o < outputs; o++)
            y[r * outputs + o] = op->activation == OSS_SWIGLU ? silu(sums[o]) * sums[outputs + o]
                               : op->activation == OSS_GELU ? gelu(sums[o]) : sums[o];
    }
    return y;
}

/* y (sequences, tokens, heads, head_dim) */
static double *expected_attention(const oss_attention *op, const float *q, int64_t q_stride)
{
    int64_t dim = op->head_dim, n = op->heads * dim, rows = (int64_t)op->sequences * op->tokens;
    double *expected = doubles(rows * n), *shares = doubles(op->length), *y = expected;
    memset(expected, 0, sizeof(double) * (size_t)(rows * n));
    for (int64_t row = 0; row < rows; row++)
        for (int64_t h = 0; h < op->heads; h++, y += dim) {
            int64_t token = row % op->tokens, sequence = row / op->tokens, own = op->length - op->tokens + token;
            int64_t first = op->padding ? op->padding[sequence] : 0, end = op->causal ? own + 1 : op->length;
            int64_t at = sequence * op->sequence_stride + h / (op->heads / op->kv_heads) * op->head_stride;
            double sum = 0;
            if (first >= end) first = own, end = own + 1;
            for (int64_t t = first; t < end; t++) {
                double score = 0;
                for (int64_t i = 0; i < dim; i++)
                    score += q[row * q_stride + h * dim + i] * read_number(op->keys, op->kv_type, at + t * op->position_stride + i);
                sum += shares[t] = exp(score / sqrt((double)dim));
            }
            for (int64_t t = first; t < end; t++)
                for (int64_t i = 0; i < dim; i++)
                    y[i] += shares[t] / sum * read_number(op->values, op->kv_type, at + t * op->position_stride + i);
        }
    return expected;
}

/* y (items, (height + 1) / 2, (width + 1) / 2, outputs) */
static double *expected_convolution(const oss_matrix *weight, const float *bias, const float *x, int items, int height, int width)
{
    int h = (height + 1) / 2, w = (width + 1) / 2, channels = weight->inputs / 9, rows = items * h * w;
    double *y = doubles(rows * weight->outputs);
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < weight->outputs; o++) {
            double sum = bias[o];
            for (int i = 0; i < weight->inputs; i++) {
                int row = r / w % h * 2 + i / channels / 3 - 1, column = r % w * 2 + i / channels % 3 - 1;
                if (row < 0 || row >= height || column < 0 || column >= width) continue;
                sum += x[((r / (h * w) * height + row) * width + column) * channels + i % channels] * weight_at(weight, o, i);
            }
            y[r * weight->outputs + o] = gelu(sum);
        }
    return y;
}

#endif
