/* Products with rows of float32, float16 or bfloat16 as a checkpoint stores them, widened to float32 on the way. */

enum { FEW = 8 };                    /* rows up to which weights are read once and multiplied in place; more are packed */
enum { DEPTH = 128 };                /* inputs of a widened tile: 128 x 32 float32 take 16 KB, half of a nearest cache */

/* out[i][0..3] = 4 rows of the matrix times r rows of x, r <= 4. */
INLINE void dense_dots(const int type, const int r, const void *const w[4], const float *const x[4], int64_t k, bool is_first, float *out)
{
    V sums[4][4];
    UNROLL for (int i = 0; i < r; i++)
        UNROLL for (int j = 0; j < 4; j++) sums[i][j] = v_set(0.0f);
    int64_t t = 0;
    const char *next = (const char *)w[0] + 4 * (size_t)k * number_bytes(type);      /* the next four rows, read from end to end */
    for (; t + 2 * VW <= k; t += 2 * VW) {
        if (is_first) {
            const int bytes = 8 * VW * (type == OSS_F32 ? 4 : 2);
            for (int j = 0; j < bytes; j += 64) PREFETCH(next + j);
            next += bytes;
        }
        UNROLL for (int s = 0; s < 2; s++) {
            V a[4];
            UNROLL for (int j = 0; j < 4; j++) a[j] = v_load_as(w[j], type, t + s * VW);
            UNROLL for (int i = 0; i < r; i++) {
                V b = v_load(x[i] + t + s * VW);
                UNROLL for (int j = 0; j < 4; j++) sums[i][j] = v_fma(a[j], b, sums[i][j]);
            }
        }
    }
    for (int i = 0; i < r; i++)
        for (int j = 0; j < 4; j++) {
            float rest = 0;
            for (int64_t s = t; s < k; s++) rest += number_at(w[j], type, s) * x[i][s];
            out[i * PAIR + j] = v_sum(sums[i][j]) + rest;
        }
}

/* out[0] = one row of the matrix times one row of x: memory is read from end to end, as it is read fastest. */
INLINE void dense_dot(const int type, const void *w, const float *x, int64_t k, float *out)
{
    const int64_t ahead = oss_read_ahead;
    V sums[4];
    UNROLL for (int j = 0; j < 4; j++) sums[j] = v_set(0.0f);
    int64_t t = 0;
    for (; t + 4 * VW <= k; t += 4 * VW) {
        UNROLL for (int j = 0; j < 4; j += VW == 16 ? 2 : 4) PREFETCH((const char *)number_address(w, type, t + j * VW) + ahead);
        UNROLL for (int j = 0; j < 4; j++) sums[j] = v_fma(v_load_as(w, type, t + j * VW), v_load(x + t + j * VW), sums[j]);
    }
    float rest = 0;
    for (; t < k; t++) rest += number_at(w, type, t) * x[t];
    *out = v_sum(v_add(v_add(sums[0], sums[1]), v_add(sums[2], sums[3]))) + rest;
}

INLINE void dense_dots_as(const int type, int64_t r, const void *const w[4], const float *const x[4], int64_t k, bool is_first, float *out)
{
    switch (r) {
    case 1: for (int j = 0; j < 4; j++) dense_dot(type, w[j], x[0], k, out + j); break;
    case 2: dense_dots(type, 2, w, x, k, is_first, out); break;
    case 3: dense_dots(type, 3, w, x, k, is_first, out); break;
    default: dense_dots(type, 4, w, x, k, is_first, out); break;
    }
}

/* Rows of the matrix for the 16 outputs of a half; past the end its last row stands in, and its sums go nowhere. */
static void half_rows(const half *h, const void *rows[HALF])
{
    const oss_matrix *m = h->matrix;
    for (int i = 0; i < HALF; i++)
        rows[i] = number_address(m->codes, m->type, least(h->panel * HALF + i, m->outputs - 1) * m->inputs);
}

static void dense_prepare_few(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    (void)thread;
    float *room = (float *)(job->prepared + (size_t)index * job->block_bytes);
    const float *row = prepared_row(job, index, room);
    if (row != room) memcpy(room, row, sizeof(float) * (size_t)job->op->parts[0].inputs);
}

static void dense_multiply_few(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    const oss_matrix *matrix = job->op->parts;
    (void)thread;
    int64_t first = job->starts[index], end = job->starts[index + 1], k = matrix->inputs;
    float out[FEW * PAIR];
    half pair[2];
    for (int64_t p = first; p < end; p++) {
        find_pair(job->op, p, pair);
        for (int side = 0; side < 2; side++) {
            const void *rows[HALF];
            half_rows(pair + side, rows);
            for (int j = 0; j < (pair[side].count + 3) / 4 * 4; j += 4)
                for (int64_t i = 0; i < job->m; i += 4) {
                    const float *x[4];
                    for (int n = 0; n < 4; n++) x[n] = (const float *)(job->prepared + (size_t)least(i + n, job->m - 1) * job->block_bytes);
                    float *o = out + i * PAIR + side * HALF + j;
                    int64_t r = least(4, job->m - i);
                    if (matrix->type == OSS_BF16) dense_dots_as(OSS_BF16, r, rows + j, x, k, i == 0, o);
                    else if (matrix->type == OSS_F16) dense_dots_as(OSS_F16, r, rows + j, x, k, i == 0, o);
                    else dense_dots_as(OSS_F32, r, rows + j, x, k, i == 0, o);
                }
        }
        for (int64_t i = 0; i < job->m; i++) finish_row(job->op, pair, out + i * PAIR, job->y + i * job->y_stride);
    }
    if (job->best) {
        int64_t from = first * PAIR, to = least(end * PAIR, matrix->outputs);
        for (int64_t i = 0; i < job->m; i++) job->parts[index * job->m + i] = best_of(job->y + i * job->y_stride + from, to - from, from);
    }
}

static void dense_prepare(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    int64_t k = job->op->parts[0].inputs, rows = rows_of_block(job, index);
    float *room = (float *)(job->own + (size_t)thread * job->own_bytes);
    const float *found[TILE_ROWS];
    for (int64_t i = 0; i < rows; i++) found[i] = prepared_row(job, index * job->block_rows + i, room + i * k);
    pack(found, (int)rows, k, 1.0f, (float *)(job->prepared + (size_t)index * job->block_bytes));
}

static void dense_multiply(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    int64_t k = job->op->parts[0].inputs;
    int64_t first = index % job->row_tasks * job->blocks_at_once, end = least(first + job->blocks_at_once, job->num_blocks);
    float *tile_memory = (float *)(job->own + (size_t)thread * job->own_bytes), *sums = tile_memory + DEPTH * PAIR;
    half pair[2];
    const void *rows[2][HALF];
    find_pair(job->op, index / job->row_tasks, pair);
    half_rows(pair, rows[0]);
    half_rows(pair + 1, rows[1]);
    memset(sums, 0, sizeof(float) * (size_t)((end - first) * TILE_ROWS * PAIR));
    for (int64_t t = 0; t < k; t += DEPTH) {
        int64_t depth = least(DEPTH, k - t);
        widen(pair[0].matrix->type, rows[0], t, depth, tile_memory);
        widen(pair[1].matrix->type, rows[1], t, depth, tile_memory + HALF);
        for (int64_t b = first; b < end; b++)
            tile((int)rows_of_block(job, b), (const float *)(job->prepared + (size_t)b * job->block_bytes) + t * TILE_ROWS, tile_memory,
                 depth, sums + (b - first) * TILE_ROWS * PAIR, PAIR);
    }
    for (int64_t b = first; b < end; b++)
        for (int64_t i = 0; i < rows_of_block(job, b); i++)
            finish_row(job->op, pair, sums + ((b - first) * TILE_ROWS + i) * PAIR, job->y + (b * job->block_rows + i) * job->y_stride);
}
