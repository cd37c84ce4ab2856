/* Work on rows one by one: norms, the largest logit, rotation into the cache, embeddings, quantising weights. */

typedef struct normalize_job {
    const float *weight, *bias, *x;
    float *y;
    int64_t x_stride, y_stride, m, n;
    float eps;
    int norm;
} normalize_job;

enum { ROWS_OF_TASK = 8 };

static void normalize_task(void *context, int64_t index, int thread)
{
    normalize_job *job = context;
    (void)thread;
    for (int64_t i = index * ROWS_OF_TASK; i < least((index + 1) * ROWS_OF_TASK, job->m); i++)
        normalize_row(job->norm, job->weight, job->bias, job->eps, job->x + i * job->x_stride, job->n, job->y + i * job->y_stride);
}

static void normalize(int norm, const float *weight, const float *bias, float eps, const float *x, int64_t x_stride, int64_t m,
                      int32_t n, float *y, int64_t y_stride, int threads)
{
    normalize_job job = {weight, bias, x, y, x_stride, y_stride, m, n, eps, norm};
    oss_parallel(threads, pieces(m, ROWS_OF_TASK), normalize_task, &job);
}

typedef struct greedy_job {
    const float *logits;
    oss_best *best;
    int64_t stride, n;
} greedy_job;

static void greedy_task(void *context, int64_t index, int thread)
{
    greedy_job *job = context;
    (void)thread;
    part_best part = best_of(job->logits + index * job->stride, job->n, 0);
    job->best[index] = join_best(&part, 1, 1);
}

static void greedy(const float *logits, int64_t stride, int64_t m, int32_t n, oss_best *best, int threads)
{
    greedy_job job = {logits, best, stride, n};
    oss_parallel(threads, m, greedy_task, &job);
}

/* -- rotation ----------------------------------------------------------------------------------------------------- */

typedef struct rotate_job {
    const oss_rotation *op;
    float *qkv;
    int64_t stride;
} rotate_job;

static void turn(float *x, const float *cosines, const float *sines, int64_t half_dim)
{
    int64_t i = 0;
    for (; i + VW <= half_dim; i += VW) {
        V a = v_load(x + i), b = v_load(x + half_dim + i), c = v_load(cosines + i), s = v_load(sines + i);
        v_store(x + i, v_sub(v_mul(a, c), v_mul(b, s)));
        v_store(x + half_dim + i, v_fma(b, c, v_mul(a, s)));
    }
    for (; i < half_dim; i++) {
        float a = x[i], b = x[half_dim + i];
        x[i] = a * cosines[i] - b * sines[i];
        x[half_dim + i] = b * cosines[i] + a * sines[i];
    }
}

static void store_as(int type, void *memory, int64_t at, const float *x, int64_t n)
{
    if (type == OSS_F32) {
        memcpy((float *)memory + at, x, sizeof(float) * (size_t)n);
        return;
    }
    uint16_t *target = (uint16_t *)memory + at;
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_store_f16(target + i, v_load(x + i));
    if (i < n) {
        float lanes[VW] = {0};
        uint16_t narrow[VW];
        memcpy(lanes, x + i, sizeof(float) * (size_t)(n - i));
        v_store_f16(narrow, v_load(lanes));
        memcpy(target + i, narrow, 2 * (size_t)(n - i));
    }
}

static void rotate_task(void *context, int64_t index, int thread)
{
    rotate_job *job = context;
    const oss_rotation *op = job->op;
    (void)thread;
    int64_t dim = op->head_dim, sequence = index / op->tokens, position = op->start + index % op->tokens;
    const float *cosines = op->cosines + index * (dim / 2), *sines = op->sines + index * (dim / 2);
    float *x = job->qkv + index * job->stride;
    for (int h = 0; h < op->heads; h++, x += dim) {
        normalize_row(OSS_RMS_NORM, op->q_norm, NULL, op->eps, x, dim, x);
        turn(x, cosines, sines, dim / 2);
    }
    for (int h = 0; h < op->kv_heads; h++, x += dim) {
        int64_t at = ((sequence * op->kv_heads + h) * op->capacity + position) * dim;
        normalize_row(OSS_RMS_NORM, op->k_norm, NULL, op->eps, x, dim, x);
        turn(x, cosines, sines, dim / 2);
        store_as(op->cache_type, op->keys, at, x, dim);
        store_as(op->cache_type, op->values, at, x + op->kv_heads * dim, dim);
    }
}

static void rotate(const oss_rotation *op, float *qkv, int64_t qkv_stride, int threads)
{
    rotate_job job = {op, qkv, qkv_stride};
    int64_t rows = (int64_t)op->sequences * op->tokens;
    oss_parallel(rows <= 4 ? 1 : threads, rows, rotate_task, &job);
}

/* -- embeddings --------------------------------------------------------------------------------------------------- */

static void embed(const oss_matrix *matrix, const int64_t *ids, int64_t m, float *y, int64_t stride)
{
    int64_t k = matrix->inputs, groups = matrix->type >= OSS_Q8 ? k / matrix->group : 0;
    for (int64_t i = 0; i < m; i++, y += stride) {
        if (!is_panel(matrix->type)) {
            for (int64_t j = 0; j < k; j++) y[j] = number_at(matrix->codes, matrix->type, ids[i] * k + j);
            continue;
        }
        int64_t panel = ids[i] / HALF, lane = ids[i] % HALF;
        bool is_small = matrix->type == OSS_Q4;
        const uint8_t *codes = (const uint8_t *)matrix->codes + panel * k * HALF / (is_small ? 2 : 1);
        float zero = matrix->biases ? 0 : is_small ? 8 : 128;
        for (int64_t j = 0; j < k; j++) {
            int64_t g = (panel * groups + j / matrix->group) * HALF + lane;
            int code = is_small ? codes[(j / 8 * HALF + lane) * 4 + j % 4] >> (j % 8 / 4 * 4) & 15 : codes[(j / 4 * HALF + lane) * 4 + j % 4];
            float bias = matrix->biases ? from_f16(matrix->biases[g]) * matrix->unit : 0;
            y[j] = ((float)code - zero) * (from_f16(matrix->scales[g]) * matrix->unit) + bias;
        }
    }
}

/* -- quantising --------------------------------------------------------------------------------------------------- */

typedef struct quantize_job {
    const void *rows;
    const oss_matrix *matrix;
    int type;
    bool failed[OSS_MAX_THREADS];
} quantize_job;

/* The least and the largest of a group, and whether all of it is finite. */
static bool extremes(const float *x, int group, float *low, float *high)
{
    V l = v_load(x), h = l, nan = v_set(0.0f);
    for (int j = 0; j < group; j += VW) {
        V a = v_load(x + j);
        l = v_min(l, a), h = v_max(h, a), nan = v_add(nan, v_sub(a, a));
    }
    *low = 0.0f - v_top(v_sub(v_set(0.0f), l)), *high = v_top(h) + 0.0f;         /* zero is +0, as in panels.py */
    return v_sum(nan) == 0;
}

static uint16_t to_f16(float a)
{
    float lanes[VW] = {a};
    uint16_t narrow[VW];
    v_store_f16(narrow, v_load(lanes));
    return narrow[0];
}

/* A group's scale and bias as float16 over `unit`, and its codes. False where float16 cannot hold them. */
static bool quantize_group(const oss_matrix *m, const float *x, uint16_t *scale, uint16_t *bias, uint8_t *codes)
{
    int top = m->type == OSS_Q8 ? 127 : 7;
    float low, high, start = 0, zero = 0, least_code = 0, most_code = (float)(2 * top + 1);
    if (!extremes(x, m->group, &low, &high)) return false;
    if (bias) {
        *bias = to_f16(low / m->unit);
        start = from_f16(*bias) * m->unit;
        *scale = to_f16((high - low) / most_code / m->unit);
    } else {
        *scale = to_f16((-low > high ? -low : high) / (float)top / m->unit);
        zero = (float)(top + 1), least_code = 1, most_code = zero + (float)top;
    }
    if ((*scale & 0x7c00) == 0x7c00 || (bias && (*bias & 0x7c00) == 0x7c00)) return false;
    float size = from_f16(*scale) * m->unit, inverse = size > 0 ? 1.0f / size : 0.0f;
    for (int j = 0; j < m->group; j += VW) {
        V code = v_add(v_round(v_mul(v_sub(v_load(x + j), v_set(start)), v_set(inverse))), v_set(zero));
        v_store_u8(codes + j, v_min(v_max(code, v_set(least_code)), v_set(most_code)));
    }
    return true;
}

static void quantize_panel(void *context, int64_t panel, int thread)
{
    quantize_job *job = context;
    const oss_matrix *m = job->matrix;
    int64_t k = m->inputs, groups = k / m->group;
    int code_bytes = m->type == OSS_Q8 ? 4 : 2;      /* of 4 inputs */
    uint8_t *target = (uint8_t *)m->codes + panel * k / 4 * HALF * code_bytes;
    uint16_t *scales = (uint16_t *)m->scales + panel * groups * HALF;
    uint16_t *biases = m->biases ? (uint16_t *)m->biases + panel * groups * HALF : NULL;
    for (int lane = 0; lane < HALF; lane++) {
        int64_t row = panel * HALF + lane;
        for (int64_t g = 0; g < groups; g++) {
            float x[64] = {0};
            uint8_t codes[64] = {0};
            uint16_t *scale = scales + g * HALF + lane, *bias = biases ? biases + g * HALF + lane : NULL;
            *scale = 0;
            if (bias) *bias = 0;
            if (row < m->outputs) {
                int64_t at = row * k + g * m->group;
                for (int j = 0; j < m->group; j += VW)
                    v_store(x + j, job->type == OSS_F32 ? v_load_as(job->rows, OSS_F32, at + j)
                                 : job->type == OSS_BF16 ? v_load_as(job->rows, OSS_BF16, at + j) : v_load_as(job->rows, OSS_F16, at + j));
                if (!quantize_group(m, x, scale, bias, codes)) job->failed[thread] = true;
            }
            for (int j = 0; j < m->group; j += 8) {
                if (m->type == OSS_Q8) {
                    uint8_t *p = target + ((g * m->group + j) / 4 * HALF + lane) * 4;
                    memcpy(p, codes + j, 4);
                    memcpy(p + HALF * 4, codes + j + 4, 4);
                } else {
                    uint32_t low, high;
                    memcpy(&low, codes + j, 4);
                    memcpy(&high, codes + j + 4, 4);
                    low |= high << 4;
                    memcpy(target + ((g * m->group + j) / 8 * HALF + lane) * 4, &low, 4);
                }
            }
        }
    }
}

static int quantize(const void *rows, int type, const oss_matrix *matrix, int threads)
{
    quantize_job job = {.rows = rows, .matrix = matrix, .type = type};
    oss_parallel(threads, pieces(matrix->outputs, HALF), quantize_panel, &job);
    for (int i = 0; i < OSS_MAX_THREADS; i++)
        if (job.failed[i]) return OSS_OUT_OF_RANGE;
    return OSS_OK;
}
