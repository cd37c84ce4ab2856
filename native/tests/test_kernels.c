/* Every instruction set of this machine computes what ossicle.h says: compared with the plain loops of reference.h.
 *
 * Sums of float32 may be off by their order: 1e-5 of numbers around 1. What is exact by its nature is compared bit by bit.
 * Says what it checked, and leaves with 1 at the first that does not hold.
 */
#define _POSIX_C_SOURCE 200809L

#include "reference.h"

#include <time.h>

static char sets[8][16];
static int num_sets;

#define CHECK(claim, ...) \
    do { \
        if (!(claim)) { \
            fprintf(stderr, "%s:%d: %s: does not hold: %s: ", __FILE__, __LINE__, oss_instruction_set(), #claim); \
            fprintf(stderr, __VA_ARGS__); \
            fputc('\n', stderr); \
            exit(1); \
        } \
    } while (0)

#define EACH_SET for (int set = 0; set < num_sets && use(sets[set]); set++)
static bool use(const char *name)
{
    CHECK(oss_use(name) == OSS_OK, "%s", name);
    return true;
}

/* y (m, n) is what was expected, within `tolerance`, and nothing was written between its rows. */
static void check_rows(const float *y, int64_t stride, const double *expected, int64_t m, int64_t n, double tolerance, const char *about)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double wanted = expected[i * n + j], got = y[i * stride + j];
            CHECK(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)), "%s: row %d of %d, column %d: expected %.9g, got %.9g",
                  about, (int)i, (int)m, (int)j, wanted, got);
        }
        for (int64_t j = n; j < stride; j++) CHECK(y[i * stride + j] == UNTOUCHED, "%s: row %d, beyond its end", about, (int)i);
    }
}

static void check_best(const oss_best *best, const float *logits, int64_t n, const char *about)
{
    int64_t first = 0;
    double sum = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[first]) first = i;
    for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - logits[first]);
    CHECK(best->id == first && best->logit == logits[first], "%s: expected %d, got %d", about, (int)first, (int)best->id);
    CHECK(fabs(best->log_probability + log(sum)) < 1e-5 * (1 + log(sum)), "%s: expected %g, got %g", about, -log(sum),
          best->log_probability);
}

/* -- products ----------------------------------------------------------------------------------------------------- */

static const struct product {
    const char *name;
    int outputs[3], groups, rows, norm, activation;      /* inputs are so many groups, or half of the numbers of a float product */
    bool has_bias, add, has_best;
} products[] = {
    {.name = "largest of", .outputs = {70}, .groups = 3, .rows = 29, .has_best = true},
    {.name = "three parts", .outputs = {37, 16, 5}, .groups = 3, .rows = 29, .norm = OSS_LAYER_NORM, .has_bias = true},
    {.name = "gelu", .outputs = {50}, .groups = 5, .rows = 29, .activation = OSS_GELU, .has_bias = true},
    {.name = "swiglu", .outputs = {40, 40}, .groups = 4, .rows = 29, .norm = OSS_RMS_NORM, .activation = OSS_SWIGLU},
    {.name = "added", .outputs = {33}, .groups = 2, .rows = 300, .has_bias = true, .add = true},
    {.name = "one group", .outputs = {64}, .groups = 1, .rows = 29},
};
enum { NUM_PRODUCTS = sizeof products / sizeof *products, DENSE_INPUTS = 47 };

static float before(int64_t i, int64_t j) { return (float)((3 * i + 5 * j) % 7); }

static void check_product(format f, const struct product *p)
{
    int inputs = p->groups * (f.group ? f.group : DENSE_INPUTS), x_stride = inputs + 5, num_parts = 0, sum = 0;
    oss_matrix parts[3];
    for (; num_parts < 3 && p->outputs[num_parts]; num_parts++) {
        parts[num_parts] = random_matrix(f, p->outputs[num_parts], inputs);
        sum += p->outputs[num_parts];
    }
    oss_linear op = {.parts = parts, .num_parts = num_parts, .norm = p->norm, .norm_eps = 1e-6f, .activation = p->activation, .add = p->add,
                     .norm_weight = p->norm ? numbers(inputs, 1) : NULL, .norm_bias = p->norm == OSS_LAYER_NORM ? numbers(inputs, 1) : NULL,
                     .bias = p->has_bias ? numbers(sum, 1) : NULL};
    float *x = numbers((int64_t)p->rows * x_stride, 1);
    for (int i = 0; i < inputs / p->groups; i++) x[3 * x_stride + i] = 0, x[5 * x_stride + i] = 1e-39f;      /* (nearly) nothing */
    double *expected = expected_product(&op, x, x_stride, p->rows), tolerance = 1e-5;
    if (p->norm && f.group) tolerance = 0.02;            /* the norm's last bit may round one activation to the next of 127 steps */
    int n = num_outputs(&op), stride = n + 3;
    for (int64_t i = 0; i < (int64_t)p->rows * n; i++) expected[i] += p->add ? before(i / n, i % n) : 0;
    float *first_y = NULL;
    EACH_SET {
        for (int r = 1; r <= 17; r++) {
            int m = r <= 16 ? r : p->rows, threads = 1 + r % 3, start = num_rooms;
            char about[64];
            snprintf(about, sizeof about, "%s %s", p->name, f.name);
            float *y = untouched((int64_t)m * stride);
            for (int64_t i = 0; i < (int64_t)m * n && p->add; i++) y[i / n * stride + i % n] = before(i / n, i % n);
            oss_best *best = p->has_best ? room(sizeof *best * (size_t)m) : NULL;
            size_t bytes = oss_linear_scratch(&op, m, threads);
            CHECK(oss_apply(&op, x, x_stride, m, y, stride, best, room(bytes), bytes, threads) == OSS_OK, "%s", about);
            check_rows(y, stride, expected, m, n, tolerance, about);
            for (int i = 0; best && i < m; i++) check_best(best + i, y + i * stride, n, about);
            /* One product of an exact integer sum: the same bits anywhere. */
            if (r == 17 && set > 0 && p->groups == 1 && f.group && !f.has_biases)
                for (int64_t i = 0; i < (int64_t)m * stride; i++) CHECK(y[i] == first_y[i], "%s: other bits than %s", about, sets[0]);
            if (r == 17 && set == 0) first_y = y;
            else leave(start);
        }
    }
}

static void products_are_right(void)
{
    for (int f = 0; f < NUM_FORMATS; f++)
        for (int p = 0; p < NUM_PRODUCTS; p++) {
            check_product(formats[f], products + p);
            leave(0);
        }
}

/* -- rows --------------------------------------------------------------------------------------------------------- */

static void quantising_gives_the_same_bits(void)
{
    for (int f = 3; f < NUM_FORMATS; f++)
        for (int type = OSS_F32; type <= OSS_BF16; type++, leave(0)) {
            oss_matrix wanted = empty_matrix(formats[f], 37, 192), got = empty_matrix(formats[f], 37, 192);
            void *rows = numbers_of(type, 37 * 192, 0.25f);
            memset(rows, 0, 192 * 2);                    /* some groups of nothing but zeros */
            expected_panels(rows, type, &wanted);
            size_t scales = oss_scales_bytes(37, 192, wanted.group);
            EACH_SET {
                CHECK(oss_quantize(rows, type, &got, 2) == OSS_OK, "%s", formats[f].name);
                CHECK(memcmp(wanted.scales, got.scales, scales) == 0, "scales of %s", formats[f].name);
                CHECK(!wanted.biases || memcmp(wanted.biases, got.biases, scales) == 0, "biases of %s", formats[f].name);
                CHECK(memcmp(wanted.codes, got.codes, oss_codes_bytes(wanted.type, 37, 192)) == 0, "codes of %s", formats[f].name);
            }
            float *wrong = numbers(37 * 192, 0.25f);
            for (int i = 0; i < 3; i++) {
                wrong[35 * 192 + 77] = (float[]){INFINITY, NAN, -1e9f}[i];
                EACH_SET CHECK(oss_quantize(wrong, OSS_F32, &got, 2) == OSS_OUT_OF_RANGE, "%s", formats[f].name);
            }
        }
}

static void embeddings_are_rows(void)
{
    static const int64_t ids[] = {0, 36, 17, 17, 15, 16};
    enum { M = sizeof ids / sizeof *ids, N = 128, STRIDE = N + 1 };
    double expected[M * N];
    for (int f = 0; f < NUM_FORMATS; f++, leave(0)) {
        oss_matrix matrix = random_matrix(formats[f], 37, N);
        for (int i = 0; i < M * N; i++) expected[i] = weight_at(&matrix, ids[i / N], i % N);
        EACH_SET {
            float *y = untouched(M * STRIDE);
            CHECK(oss_embed(&matrix, ids, M, y, STRIDE) == OSS_OK, "%s", formats[f].name);
            check_rows(y, STRIDE, expected, M, N, 1e-6, formats[f].name);
        }
    }
}

static void norms_are_right(void)
{
    static const int sizes[] = {3, 64, 67, 200};
    enum { M = 11 };
    for (int s = 0; s < 4; s++)
        for (int norm = OSS_RMS_NORM; norm <= OSS_LAYER_NORM; norm++)
            for (int has_bias = 0; has_bias < 2; has_bias++, leave(0)) {
                int n = sizes[s], stride = n + 2;
                float *x = numbers(M * stride, 3), *weight = numbers(n, 2), *bias = has_bias ? numbers(n, 1) : NULL;
                double *expected = doubles(M * n);
                for (int i = 0; i < M; i++) {
                    for (int j = 0; j < n && norm == OSS_LAYER_NORM; j++) x[i * stride + j] += 5;
                    for (int j = n; j < stride; j++) x[i * stride + j] = UNTOUCHED;
                    expected_norm(norm, weight, bias, 1e-5f, x + i * stride, n, expected + i * n);
                }
                EACH_SET {
                    float *y = untouched(M * stride), *same = room(sizeof(float) * (size_t)(M * stride));
                    memcpy(same, x, sizeof(float) * (size_t)(M * stride));
                    CHECK(oss_normalize(norm, weight, bias, 1e-5f, x, stride, M, n, y, stride, 2) == OSS_OK, "%d", n);
                    CHECK(oss_normalize(norm, weight, bias, 1e-5f, same, stride, M, n, same, stride, 2) == OSS_OK, "%d", n);
                    check_rows(y, stride, expected, M, n, 1e-5, "norm");
                    check_rows(same, stride, expected, M, n, 1e-5, "norm in place");
                }
            }
}

static void the_first_of_the_largest_is_found(void)
{
    static const int sizes[] = {1, 5, 64, 1000};
    for (int s = 0; s < 4; s++, leave(0)) {
        int n = sizes[s];
        float *logits = numbers(3 * n, 10);
        logits[n + n / 3] = logits[n + n - 1] = 30, logits[2 * n + n - 1] = 12;
        EACH_SET {
            oss_best best[3];
            CHECK(oss_greedy(logits, n, 3, n, best, 2) == OSS_OK, "%d", n);
            for (int i = 0; i < 3; i++) check_best(best + i, logits + i * n, n, "greedy");
        }
    }
}

/* -- attention ---------------------------------------------------------------------------------------------------- */

static void check_rotation(int type, int dim)
{
    enum { SEQUENCES = 2, TOKENS = 3, HEADS = 4, KV_HEADS = 2, START = 5, CAPACITY = 11, ROWS = SEQUENCES * TOKENS };
    int width = (HEADS + 2 * KV_HEADS) * dim, stride = width + 3, half = dim / 2, keys = HEADS * dim, values = keys + KV_HEADS * dim;
    size_t size = type == OSS_F32 ? 4 : 2, count = (size_t)(SEQUENCES * KV_HEADS * CAPACITY * dim);
    float *source = numbers(ROWS * stride, 2), *cosines = numbers(ROWS * half, 1), *sines = numbers(ROWS * half, 1);
    oss_rotation op = {.q_norm = numbers(dim, 2), .k_norm = numbers(dim, 2), .cosines = cosines, .sines = sines, .eps = 1e-6f,
                       .cache_type = type, .heads = HEADS, .kv_heads = KV_HEADS, .head_dim = dim, .sequences = SEQUENCES, .tokens = TOKENS,
                       .start = START, .capacity = CAPACITY};
    double *expected = doubles(ROWS * width), *row = doubles(dim);
    for (int r = 0; r < ROWS; r++) {
        float *x = source + r * stride;
        for (int i = values; i < width; i++) expected[r * width + i] = x[i] = hard_number();
        for (int i = width; i < stride; i++) x[i] = UNTOUCHED;
        for (int h = 0; h < HEADS + KV_HEADS; h++) {
            expected_norm(OSS_RMS_NORM, h < HEADS ? op.q_norm : op.k_norm, NULL, op.eps, x + h * dim, dim, row);
            for (int i = 0; i < dim; i++) {
                double c = cosines[r * half + i % half], s = sines[r * half + i % half];
                expected[r * width + h * dim + i] = i < half ? row[i] * c - row[i + half] * s : row[i] * c + row[i - half] * s;
            }
        }
    }
    EACH_SET {
        float *qkv = room(sizeof(float) * (size_t)(ROWS * stride));
        uint8_t *caches[2] = {room(count * size), room(count * size)};
        memcpy(qkv, source, sizeof(float) * (size_t)(ROWS * stride));
        op.keys = caches[0], op.values = caches[1];
        CHECK(oss_rotate(&op, qkv, stride, 2) == OSS_OK, "%d", dim);
        check_rows(qkv, stride, expected, ROWS, width, 1e-5, "rotation");
        for (int i = 0; i < 2 * (int)count; i++) {       /* each number of the keys, then of the values */
            int at = i % (int)count, position = at / dim % CAPACITY, head = at / dim / CAPACITY % KV_HEADS;
            int source_row = at / dim / CAPACITY / KV_HEADS * TOKENS + position - START;
            uint32_t wanted = 0xffffffff;
            if (position >= START && position < START + TOKENS) {
                const float *from = qkv + source_row * stride + (i == at ? keys : values) + head * dim + at % dim;
                uint16_t narrow = to_f16(*from);
                memcpy(&wanted, type == OSS_F32 ? (const void *)from : &narrow, size);
            }
            CHECK(memcmp(caches[i != at] + (size_t)at * size, &wanted, size) == 0, "number %d of the cache", i);
        }
    }
    leave(0);
}

static void rotation_fills_the_cache(void)
{
    for (int type = OSS_F32; type <= OSS_F16; type++) {
        check_rotation(type, 64);
        check_rotation(type, 38);
    }
}

static const struct attention {
    int sequences, tokens, length, heads, kv_heads, dim, causal, padding;    /* of the second sequence */
    bool is_interleaved;                                                      /* positions before heads, as the encoder has them */
} attentions[] = {
    {2, 1, 37, 4, 2, 64, 1, 9, false}, {1, 1, 600, 8, 4, 128, 1, 0, false}, {2, 2, 21, 3, 1, 38, 1, 30, false},
    {1, 1, 5, 6, 1, 16, 0, 0, true}, {1, 70, 300, 4, 2, 64, 1, 0, false}, {2, 33, 33, 2, 2, 80, 0, 0, true},
    {2, 20, 26, 4, 2, 48, 1, 15, false}, {1, 7, 7, 3, 1, 38, 1, 0, true},
};

static void check_attention(const struct attention *a, int type)
{
    int capacity = a->length + 2, n = a->heads * a->dim, stride = n + 3, rows = a->sequences * a->tokens;
    int32_t padding[2] = {0, a->padding};
    oss_attention op = {.padding = a->padding ? padding : NULL, .kv_type = type, .heads = a->heads, .kv_heads = a->kv_heads,
                        .head_dim = a->dim, .sequences = a->sequences, .tokens = a->tokens, .length = a->length, .causal = a->causal,
                        .position_stride = a->is_interleaved ? a->kv_heads * a->dim : a->dim,
                        .head_stride = a->is_interleaved ? a->dim : capacity * a->dim, .sequence_stride = capacity * a->kv_heads * a->dim};
    op.keys = numbers_of(type, a->sequences * op.sequence_stride, 2);
    op.values = numbers_of(type, a->sequences * op.sequence_stride, 1);
    float *q = numbers(rows * stride, 2);
    double *expected = expected_attention(&op, q, stride);
    EACH_SET for (int threads = 1; threads <= 3; threads += 2) {
        float *y = untouched(rows * stride);
        size_t bytes = oss_attention_scratch(&op, threads);
        CHECK(oss_attend(&op, q, stride, y, stride, room(bytes), bytes, threads) == OSS_OK, "%d", a->tokens);
        check_rows(y, stride, expected, rows, n, 1e-5, "attention");
    }
    leave(0);
}

static void attention_is_right(void)
{
    for (size_t i = 0; i < sizeof attentions / sizeof *attentions; i++) {
        check_attention(attentions + i, OSS_F32);
        check_attention(attentions + i, OSS_F16);
    }
}

/* One key that is seen alone has all of the attention: its value comes back as it is. */
static void float16_is_read_exactly(void)
{
    enum { DIM = 64, KEYS = 65536 / DIM };
    uint16_t *values = room(65536 * 2), *keys = room(65536 * 2);
    float *q = numbers(65536, 1);
    oss_attention op = {.keys = keys, .values = values, .sequence_stride = DIM, .head_stride = DIM, .position_stride = DIM,
                        .kv_type = OSS_F16, .heads = 1, .kv_heads = 1, .head_dim = DIM, .sequences = KEYS, .tokens = 1, .length = 1};
    memset(keys, 0, 65536 * 2);
    for (int i = 0; i < 65536; i++) values[i] = (uint16_t)i;
    EACH_SET {
        float *y = untouched(65536);
        size_t bytes = oss_attention_scratch(&op, 2);
        CHECK(oss_attend(&op, q, DIM, y, DIM, room(bytes), bytes, 2) == OSS_OK, "%d", DIM);
        for (int i = 0; i < 65536; i++)
            CHECK(y[i] == (float)from_f16((uint16_t)i) || (isnan(y[i]) && isnan(from_f16((uint16_t)i))), "%04x: got %g", (unsigned)i, y[i]);
    }
    leave(0);
}

/* -- convolution, and what is measured ---------------------------------------------------------------------------- */

static void check_convolution(int type, int height, int width, int channels, int outputs)
{
    enum { ITEMS = 2 };
    int rows = ITEMS * ((height + 1) / 2) * ((width + 1) / 2);
    oss_matrix weight = random_matrix((format){"", type, 0, false}, outputs, 9 * channels);
    float *x = numbers((int64_t)ITEMS * height * width * channels, 1), *bias = numbers(outputs, 1);
    double *expected = expected_convolution(&weight, bias, x, ITEMS, height, width);
    EACH_SET {
        float *y = untouched((int64_t)rows * outputs);
        size_t bytes = oss_convolve_scratch(&weight, ITEMS, height, width, 2);
        CHECK(oss_convolve(&weight, bias, x, ITEMS, height, width, y, room(bytes), bytes, 2) == OSS_OK, "%d", channels);
        check_rows(y, outputs, expected, rows, outputs, 1e-5, "convolution");
    }
    leave(0);
}

static void convolution_is_right(void)
{
    for (int type = OSS_F32; type <= OSS_BF16; type++) {
        check_convolution(type, 7, 9, 1, 21);
        check_convolution(type, 28, 17, 8, 40);
        check_convolution(type, 1, 4, 170, 33);
    }
}

static void measuring_ends(void)
{
    char *memory = room(3 << 20);
    EACH_SET {
        CHECK(oss_measure_read(memory, 3 << 20, 2) >= 0, "reading");
        CHECK(oss_measure_arithmetic(OSS_F32, 100, 2) > 0 && oss_measure_arithmetic(OSS_Q8, 100, 2) > 0, "arithmetic");
    }
    leave(0);
}

int main(void)
{
    static const struct { const char *claim; void (*check)(void); } claims[] = {
        {"quantising gives the same bits", quantising_gives_the_same_bits},
        {"embeddings are rows", embeddings_are_rows},
        {"norms are right", norms_are_right},
        {"the first of the largest is found", the_first_of_the_largest_is_found},
        {"products are right", products_are_right},
        {"rotation fills the cache", rotation_fills_the_cache},
        {"attention is right", attention_is_right},
        {"float16 is read exactly", float16_is_read_exactly},
        {"convolution is right", convolution_is_right},
        {"measuring ends", measuring_ends},
    };
    const char *names = oss_instruction_sets();
    for (int length = 0; sscanf(names, "%15s%n", sets[num_sets], &length) == 1; names += length) num_sets++;
    printf("%s\n", oss_instruction_sets());
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        clock_t start = clock();
        claims[i].check();
        printf("%-45s %6.2f s\n", claims[i].claim, (double)(clock() - start) / CLOCKS_PER_SEC);
        fflush(stdout);
    }
    return 0;
}
