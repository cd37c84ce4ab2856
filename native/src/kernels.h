/* What every instruction set provides. Arguments have been checked by library.c. */
#ifndef OSS_KERNELS_H
#define OSS_KERNELS_H

#include "ossicle.h"

typedef struct oss_kernels {
    const char *name;
    int (*quantize)(const void *rows, int type, const oss_matrix *matrix, int threads);
    void (*embed)(const oss_matrix *matrix, const int64_t *ids, int64_t m, float *y, int64_t stride);
    size_t (*linear_scratch)(const oss_linear *op, int64_t m, int threads);
    void (*apply)(const oss_linear *op, const float *x, int64_t x_stride, int64_t m, float *y, int64_t y_stride,
                  oss_best *best, void *scratch, int threads);
    void (*greedy)(const float *logits, int64_t stride, int64_t m, int32_t n, oss_best *best, int threads);
    void (*normalize)(int norm, const float *weight, const float *bias, float eps, const float *x, int64_t x_stride,
                      int64_t m, int32_t n, float *y, int64_t y_stride, int threads);
    void (*rotate)(const oss_rotation *op, float *qkv, int64_t qkv_stride, int threads);
    size_t (*attention_scratch)(const oss_attention *op, int threads);
    void (*attend)(const oss_attention *op, const float *q, int64_t q_stride, float *y, int64_t y_stride, void *scratch, int threads);
    size_t (*convolve_scratch)(const oss_matrix *weight, int32_t items, int32_t height, int32_t width, int threads);
    void (*convolve)(const oss_matrix *weight, const float *bias, const float *x, int32_t items, int32_t height,
                     int32_t width, float *y, void *scratch, int threads);
    int64_t (*measure_read)(const void *memory, size_t bytes, int threads);
    double (*measure_arithmetic)(int type, int64_t rounds, int threads);
} oss_kernels;

extern const oss_kernels oss_kernels_avx512, oss_kernels_avxvnni, oss_kernels_avx2, oss_kernels_neon_i8mm, oss_kernels_neon_dotprod,
    oss_kernels_neon, oss_kernels_portable;

/* Bytes that a core should ask memory for ahead of what it multiplies; 0 where the processor sees a stream by itself. */
extern int oss_read_ahead;

/* Plain C, the same for every instruction set (panels.c). */
int oss_repack_panels(const uint32_t *words, int bits, const void *scales, const void *biases, int type, int32_t packed_group,
                      const oss_matrix *matrix, int threads);

#endif
