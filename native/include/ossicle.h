/* ossicle: the arithmetic of Qwen3-ASR on any processor, as a plain C library.
 *
 * Every function works on memory that the caller owns, allocates nothing and keeps nothing between calls, but for one
 * pool of threads that all callers of the process share. Functions may be called from several threads at once.
 *
 * Words used for shapes: a row is one position (of text or of sound) with its features side by side; `m` rows, each
 * `stride` numbers after the one before. Activations are float32. Any alignment is accepted for them; what is read
 * fastest begins on 64 bytes.
 *
 * Functions that can fail return 0, or one of the negative codes below; nothing is written then, but for panels of which some
 * were found OSS_OUT_OF_RANGE.
 */
#ifndef OSSICLE_H
#define OSSICLE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(OSS_BUILD)
#define OSS_API __declspec(dllexport)
#elif defined(_WIN32)
#define OSS_API __declspec(dllimport)
#else
#define OSS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define OSS_VERSION 2                /* changes whenever a struct or a function of this file does */

enum oss_error {
    OSS_OK = 0,
    OSS_BAD_ARGUMENT = -1,           /* a size, type or pointer that the function's comment rules out */
    OSS_BAD_SCRATCH = -2,            /* less scratch memory than the function asks for */
    OSS_OUT_OF_RANGE = -3,           /* numbers that the target format cannot hold: not finite, or too large */
};

/* -- the library itself ------------------------------------------------------------------------------------------- */

OSS_API int oss_version(void);

/* The instruction sets compiled in that this processor runs, best first, separated by spaces: "avx512 avxvnni avx2 ...". */
OSS_API const char *oss_instruction_sets(void);

/* Name of the one in use. The best is chosen at the first call; `oss_use` chooses another, for tests. Not to be called
 * while other functions run. OSS_BAD_ARGUMENT when there is none of that name here. */
OSS_API const char *oss_instruction_set(void);
OSS_API int oss_use(const char *name);

/* Threads. A call computes on at most `threads` threads, its own included; the rest come from the pool, which grows to
 * the largest number asked for. A call that finds the pool at work waits for its turn, so the process as a whole never
 * runs more threads than that. Workers spin for some microseconds when work ends, then sleep. What is computed is the same, bit
 * for bit, for any number of threads; the one exception is `log_probability`, in its last bits. */
enum { OSS_MAX_THREADS = 256 };

/* -- matrices ----------------------------------------------------------------------------------------------------- */

enum oss_type { OSS_F32 = 0, OSS_F16 = 1, OSS_BF16 = 2, OSS_Q8 = 3, OSS_Q4 = 4 };

/* A weight of (outputs, inputs), as held in memory.
 *
 * F32, F16, BF16   `codes` are the rows, one after the other, any sizes; nothing else is used.
 * Q8, Q4           panels of 16 outputs. `inputs` is a multiple of `group` (32 or 64); outputs are filled up to a
 *                  multiple of 16 with zeros. All three arrays begin on 64 bytes.
 *   codes   Q8     uint8 [outputs/16][inputs/4][16][4]: 4 neighbouring inputs of one output are 4 neighbouring bytes
 *           Q4     uint8 [outputs/16][inputs/8][16][4]: the low halves hold inputs 0 to 3 of 8, the high halves 4 to 7
 *   scales, biases float16 [outputs/16][inputs/group][16]
 *   A weight is (code * scale + bias) * unit; without biases (NULL) it is (code - 128) * scale * unit for Q8, and
 *   (code - 8) * scale * unit for Q4. `unit` is a power of two that brings scales into the range of float16.
 */
typedef struct oss_matrix {
    const void *codes;
    const uint16_t *scales;
    const uint16_t *biases;
    float unit;
    int32_t type;
    int32_t outputs;
    int32_t inputs;
    int32_t group;
} oss_matrix;

/* Bytes that the panels of a matrix take: codes, and one array of scales (or biases). 0 for sizes that cannot be. */
OSS_API size_t oss_codes_bytes(int type, int32_t outputs, int32_t inputs);
OSS_API size_t oss_scales_bytes(int32_t outputs, int32_t inputs, int32_t group);

/* Quantise rows (outputs, inputs) of F32, F16 or BF16 into the panels that `matrix` describes; its pointers are written
 * through, so they must point to writable memory. Rounds to nearest, with these scales:
 *   biases == NULL (the usual way for Q8)   scale = max|w| / 127 (7 for Q4)
 *   with biases    (the usual way for Q4)   bias = min w, scale = (max w - min w) / 255 (15)
 * scale and bias are rounded to float16 first, and codes chosen for what they then are. OSS_OUT_OF_RANGE when a weight
 * is not finite, or a scale or bias over `unit` is beyond float16. */
OSS_API int oss_quantize(const void *rows, int type, const oss_matrix *matrix, int threads);

/* The same panels from codes that MLX packed: uint32 words (outputs, inputs * bits / 32), the lowest bits first, `bits` of
 * 2, 3, 4 (into Q4) or 5, 6, 8 (into Q8). Scales and biases (outputs, inputs / packed_group) are copied exactly where
 * float16 holds them over `unit`: types F32, F16 or BF16. `packed_group` is a multiple of the matrix's group. */
OSS_API int oss_repack(const uint32_t *words, int bits, const void *scales, const void *biases, int type,
                       int32_t packed_group, const oss_matrix *matrix, int threads);

/* Rows of a matrix in float32: y (m, inputs) = matrix[ids]. An id outside the matrix is OSS_BAD_ARGUMENT. */
OSS_API int oss_embed(const oss_matrix *matrix, const int64_t *ids, int64_t m, float *y, int64_t stride);

/* -- products ----------------------------------------------------------------------------------------------------- */

enum oss_norm { OSS_NO_NORM = 0, OSS_RMS_NORM = 1, OSS_LAYER_NORM = 2 };
enum oss_activation { OSS_NO_ACTIVATION = 0, OSS_GELU = 1, OSS_SWIGLU = 2 };

/* The largest of a row of outputs. */
typedef struct oss_best {
    float logit;
    float log_probability;           /* natural, of the softmax over the row */
    int32_t id;                      /* the first, where several are equal */
} oss_best;

/* One fused product: y = activation(norm(x) W^T + bias), or y += that.
 *
 * parts         1 to 3 matrices with the same inputs and type, panels also with the same group and unit, and all with biases or
 *               none; their outputs lie side by side in y
 * norm          of each row of x first: x / sqrt(mean(x^2) + eps) * weight, or (x - mean) / sqrt(var + eps) * weight + bias
 * bias          (sum of outputs), or NULL
 * activation    GELU is the exact (erf) form; SWIGLU takes two parts of equal outputs and gives silu(first) * second,
 *               as many outputs as one part has, with neither bias nor add
 * add           y += instead of y =
 * Activations are quantised to int8 with one scale per row and group for Q8 and Q4; float32 else. Sums are float32 (of
 * exact int32 sums inside a group). A row of x in which a number is not finite has no finite output.
 */
typedef struct oss_linear {
    const oss_matrix *parts;
    const float *norm_weight;
    const float *norm_bias;
    const float *bias;
    float norm_eps;
    int32_t num_parts;
    int32_t norm;
    int32_t activation;
    int32_t add;
} oss_linear;

/* Scratch bytes (64-byte aligned) that `oss_apply` needs for m rows; 0 for an operation that cannot be. */
OSS_API size_t oss_linear_scratch(const oss_linear *op, int64_t m, int threads);

/* x (m, inputs) to y (m, outputs). x and y do not overlap. `best` (m), when not NULL, is filled as well: it needs
 * one part, and neither activation nor add. */
OSS_API int oss_apply(const oss_linear *op, const float *x, int64_t x_stride, int64_t m, float *y, int64_t y_stride,
                      oss_best *best, void *scratch, size_t scratch_bytes, int threads);

/* The largest of each row of logits (m, n), for logits that were not made by a call with `best`. */
OSS_API int oss_greedy(const float *logits, int64_t stride, int64_t m, int32_t n, oss_best *best, int threads);

/* -- rows --------------------------------------------------------------------------------------------------------- */

/* y (m, n) = norm(x), as in oss_linear. In place is allowed. */
OSS_API int oss_normalize(int norm, const float *weight, const float *bias, float eps, const float *x, int64_t x_stride,
                          int64_t m, int32_t n, float *y, int64_t y_stride, int threads);

/* -- attention ---------------------------------------------------------------------------------------------------- */

/* Prepare the decoder's attention for `tokens` new positions of each of `sequences` rows of a batch.
 *
 * qkv           (sequences * tokens, (heads + 2 * kv_heads) * head_dim) float32, changed in place: queries are normalised
 *               and rotated; keys too, and then stored with the values at positions `start` to start + tokens of the cache
 * q_norm, k_norm  RMS weights (head_dim), eps beside them
 * cosines, sines  (sequences * tokens, head_dim / 2): dimension j turns with j + head_dim / 2
 * keys, values  the cache: [sequences][kv_heads][capacity][head_dim], of type F32 or F16
 */
typedef struct oss_rotation {
    const float *q_norm, *k_norm;
    const float *cosines, *sines;
    void *keys, *values;
    float eps;
    int32_t cache_type;
    int32_t heads, kv_heads, head_dim;
    int32_t sequences, tokens, start, capacity;
} oss_rotation;

OSS_API int oss_rotate(const oss_rotation *op, float *qkv, int64_t qkv_stride, int threads);

/* Softmax of q k / sqrt(head_dim) times v, for `tokens` queries against `length` keys of each sequence.
 *
 * q, y          (sequences, tokens, heads, head_dim) float32: rows q_stride and y_stride apart, sequences tokens rows apart
 * keys, values  F32 or F16; the numbers of one position of one head lie side by side; strides count numbers
 * causal        query t sees keys up to length - tokens + t; else all
 * padding       (sequences) keys at the front that hold nothing, or NULL; a query that would see nothing sees itself. It may be
 *               more than length
 * Query head h meets key head h / (heads / kv_heads).
 */
typedef struct oss_attention {
    const void *keys, *values;
    const int32_t *padding;
    int64_t sequence_stride, head_stride, position_stride;
    int32_t kv_type;
    int32_t heads, kv_heads, head_dim;
    int32_t sequences, tokens, length;
    int32_t causal;
} oss_attention;

OSS_API size_t oss_attention_scratch(const oss_attention *op, int threads);

OSS_API int oss_attend(const oss_attention *op, const float *q, int64_t q_stride, float *y, int64_t y_stride,
                       void *scratch, size_t scratch_bytes, int threads);

/* -- layers of the decoder ---------------------------------------------------------------------------------------- */

/* One layer: x += o(attend(rotate(qkv(x)))), then x += down(gate_up(x)). Its products are those of oss_linear: qkv and gate_up
 * with their norms, o and down with `add`. */
typedef struct oss_layer {
    const oss_linear *qkv, *o, *gate_up, *down;
    const float *q_norm, *k_norm;    /* (head_dim) */
} oss_layer;

/* What all layers have in common in one pass, in the words of oss_rotation and oss_attention. Each layer has its own cache:
 * `keys` and `values` point to one address per layer. The rooms hold sequences * tokens rows, side by side:
 * qkv of (heads + 2 * kv_heads) * head_dim numbers, attended of heads * head_dim, hidden of the outputs of gate_up. */
typedef struct oss_pass {
    const float *cosines, *sines;
    const int32_t *padding;          /* (sequences), or NULL */
    void *const *keys, *const *values;
    float *qkv, *attended, *hidden;
    float eps;                       /* of q_norm and k_norm */
    int32_t cache_type;
    int32_t heads, kv_heads, head_dim;
    int32_t sequences, tokens, start, capacity;
} oss_pass;

OSS_API size_t oss_run_scratch(const oss_layer *layers, int32_t num_layers, const oss_pass *pass, int threads);

/* Run x (sequences * tokens, inputs of qkv) through the layers, in place, and write their caches. The same as a call of
 * oss_apply, oss_rotate, oss_attend and three more of oss_apply for each layer; a caller in a slow language loses no time between. */
OSS_API int oss_run(const oss_layer *layers, int32_t num_layers, const oss_pass *pass, float *x, int64_t x_stride, void *scratch,
                    size_t scratch_bytes, int threads);

/* -- convolution -------------------------------------------------------------------------------------------------- */

/* 3 x 3, stride 2, one row of zeros around, then GELU: x (items, height, width, channels) to
 * y (items, (height + 1) / 2, (width + 1) / 2, outputs), channels last, items never touching.
 * weight   F32, F16 or BF16 of (outputs, 3 * 3 * channels), inputs in the order (row, column, channel); bias (outputs) */
OSS_API size_t oss_convolve_scratch(const oss_matrix *weight, int32_t items, int32_t height, int32_t width, int threads);

OSS_API int oss_convolve(const oss_matrix *weight, const float *bias, const float *x, int32_t items, int32_t height,
                         int32_t width, float *y, void *scratch, size_t scratch_bytes, int threads);

/* -- what the machine can do -------------------------------------------------------------------------------------- */

/* Read `bytes` of memory once, on several threads, as the products read weights; returns a number that depends on what was there. */
OSS_API int64_t oss_measure_read(const void *memory, size_t bytes, int threads);

/* Multiply and add in registers, `rounds` times on each thread: type F32 (fused multiply-adds) or Q8 (the integer dot
 * products that Q8 panels use). Returns the number of operations done (a multiplication and an addition are two). */
OSS_API double oss_measure_arithmetic(int type, int64_t rounds, int threads);

#ifdef __cplusplus
}
#endif
#endif
