/* Panels out of the words that MLX packs: byte by byte, in plain C. */
#include <stdbool.h>
#include <string.h>

#include "kernels.h"
#include "pool.h"

enum { HALF = 16 };

typedef struct repack_job {
    const uint32_t *words;
    const void *scales, *biases;
    const oss_matrix *matrix;
    int64_t packed_group;
    int bits, type;
    bool failed[OSS_MAX_THREADS];
} repack_job;

static float number_at(const void *p, int type, int64_t i)
{
    uint32_t wide;
    float a;
    if (type == OSS_F32) return ((const float *)p)[i];
    uint16_t bits = ((const uint16_t *)p)[i];
    if (type == OSS_BF16) {
        wide = (uint32_t)bits << 16;
        memcpy(&a, &wide, 4);
        return a;
    }
    uint32_t exponent = bits >> 10 & 31, fraction = bits & 0x3ff, sign = (uint32_t)(bits & 0x8000) << 16;
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&a, &wide, 4);
    return a;
}

/* Round to the nearest float16, to the even one of two; 0x7c00 where it is too large or not finite. */
static uint16_t to_f16(float a)
{
    uint32_t wide;
    memcpy(&wide, &a, 4);
    uint32_t sign = wide >> 16 & 0x8000, size = wide & 0x7fffffff;
    if (size >= 0x477ff000) return 0x7c00;                       /* 65520, which rounds to infinity */
    if (size < 0x38800000) {                                     /* below 2^-14: steps of 2^-24 */
        float steps = (sign ? -a : a) * 0x1p24f;
        uint32_t whole = (uint32_t)steps;
        float rest = steps - (float)whole;
        if (rest > 0.5f || (rest == 0.5f && (whole & 1))) whole++;
        return (uint16_t)(sign | whole);
    }
    uint32_t rounded = size + 0xfff + (size >> 13 & 1);
    return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
}

/* 8 codes out of `bits` bytes, the lowest bits first. */
static void unpack8(const uint8_t *bytes, int bits, uint8_t *codes)
{
    uint64_t stream = 0;
    memcpy(&stream, bytes, (size_t)bits);
    for (int i = 0; i < 8; i++) codes[i] = (uint8_t)(stream >> (i * bits) & ((1u << bits) - 1));
}

static void repack_panel(void *context, int64_t panel, int thread)
{
    repack_job *job = context;
    const oss_matrix *m = job->matrix;
    int64_t k = m->inputs, groups = k / m->group, packed_groups = k / job->packed_group, row_bytes = k / 8 * job->bits;
    uint8_t *target = (uint8_t *)m->codes + panel * k * HALF / (m->type == OSS_Q8 ? 1 : 2);
    uint16_t *scales = (uint16_t *)m->scales + panel * groups * HALF, *biases = (uint16_t *)m->biases + panel * groups * HALF;
    for (int64_t lane = 0; lane < HALF; lane++) {
        int64_t row = panel * HALF + lane;
        bool exists = row < m->outputs;
        const uint8_t *source = (const uint8_t *)job->words + row * row_bytes;
        for (int64_t t = 0; t < k / 8; t++) {
            uint8_t codes[8] = {0};
            if (exists) unpack8(source + t * job->bits, job->bits, codes);
            if (m->type == OSS_Q8) {
                memcpy(target + (2 * t * HALF + lane) * 4, codes, 4);
                memcpy(target + ((2 * t + 1) * HALF + lane) * 4, codes + 4, 4);
            } else
                for (int i = 0; i < 4; i++) target[(t * HALF + lane) * 4 + i] = (uint8_t)(codes[i] | codes[i + 4] << 4);
        }
        for (int64_t g = 0; g < groups; g++) {
            int64_t at = row * packed_groups + g * m->group / job->packed_group;
            uint16_t scale = exists ? to_f16(number_at(job->scales, job->type, at) / m->unit) : 0;
            uint16_t bias = exists ? to_f16(number_at(job->biases, job->type, at) / m->unit) : 0;
            if ((scale & 0x7c00) == 0x7c00 || (bias & 0x7c00) == 0x7c00) job->failed[thread] = true;
            scales[g * HALF + lane] = scale;
            biases[g * HALF + lane] = bias;
        }
    }
}

int oss_repack_panels(const uint32_t *words, int bits, const void *scales, const void *biases, int type, int32_t packed_group,
                      const oss_matrix *matrix, int threads)
{
    repack_job job = {.words = words, .scales = scales, .biases = biases, .matrix = matrix, .packed_group = packed_group, .bits = bits, .type = type};
    oss_parallel(threads, (matrix->outputs + HALF - 1) / HALF, repack_panel, &job);
    for (int i = 0; i < OSS_MAX_THREADS; i++)
        if (job.failed[i]) return OSS_OUT_OF_RANGE;
    return OSS_OK;
}
