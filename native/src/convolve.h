/* Convolution 3 x 3 of stride 2, as nine products of shifted rows: no more than a few rows of columns are ever unrolled. */

typedef struct convolve_job {
    const oss_matrix *weight;
    const float *bias, *x;
    float *y;
    int64_t height, width, channels, out_height, out_width, outputs;
    int64_t rows_at_once, tasks_of_item;
    char *own;
    size_t own_bytes;
} convolve_job;

enum { CONVOLVE_ROWS = 16 * TILE_ROWS };     /* output positions of a task */
enum { CONVOLVE_DEPTH = 160 };               /* channels of a widened tile; 480 are 3 such */

/* Sums of a task (rows, outputs filled up to PAIR) += the 9 taps, channel block by channel block. */
static void convolve_taps(const convolve_job *job, const float *x, int64_t first, int64_t rows, float *packed, float *columns, float *sums)
{
    int64_t c = job->channels, width = pieces(job->outputs, PAIR) * PAIR;
    static const float zeros[CONVOLVE_DEPTH];
    for (int64_t tap = 0; tap < 9; tap++)
        for (int64_t start = 0; start < c; start += CONVOLVE_DEPTH) {
            int64_t depth = least(CONVOLVE_DEPTH, c - start);
            for (int64_t r = 0; r < rows; r += TILE_ROWS) {
                const float *found[TILE_ROWS];
                int count = (int)least(TILE_ROWS, rows - r);
                for (int i = 0; i < count; i++) {
                    int64_t at = first + r + i, row = at / job->out_width * 2 + tap / 3 - 1, column = at % job->out_width * 2 + tap % 3 - 1;
                    bool is_inside = row >= 0 && row < job->height && column >= 0 && column < job->width;
                    found[i] = is_inside ? x + (row * job->width + column) * c + start : zeros;
                }
                pack(found, count, depth, 1.0f, packed + r * CONVOLVE_DEPTH);
            }
            for (int64_t n = 0; n < job->outputs; n += PAIR) {
                const void *weights[PAIR];
                for (int64_t j = 0; j < PAIR; j++)
                    weights[j] = number_address(job->weight->codes, job->weight->type, least(n + j, job->outputs - 1) * 9 * c + tap * c);
                widen(job->weight->type, weights, start, depth, columns);
                widen(job->weight->type, weights + HALF, start, depth, columns + HALF);
                for (int64_t r = 0; r < rows; r += TILE_ROWS)
                    tile((int)least(TILE_ROWS, rows - r), packed + r * CONVOLVE_DEPTH, columns, depth, sums + r * width + n, width);
            }
        }
}

/* One input channel: the nine weights of 16 outputs at a time stay in registers. */
static void convolve_image(const convolve_job *job, const float *x, int64_t first, int64_t rows, float *weights, float *sums)
{
    int64_t width = pieces(job->outputs, PAIR) * PAIR;
    for (int64_t n = 0; n < width; n++)
        for (int tap = 0; tap < 9; tap++)
            weights[tap * width + n] = n < job->outputs ? number_at(job->weight->codes, job->weight->type, n * 9 + tap) : 0.0f;
    for (int64_t r = 0; r < rows; r++) {
        int64_t at = first + r;
        float taps[9];
        for (int64_t tap = 0; tap < 9; tap++) {
            int64_t row = at / job->out_width * 2 + tap / 3 - 1, column = at % job->out_width * 2 + tap % 3 - 1;
            taps[tap] = row >= 0 && row < job->height && column >= 0 && column < job->width ? x[row * job->width + column] : 0.0f;
        }
        for (int64_t n = 0; n < width; n += VW) {
            V sum = v_set(0.0f);
            UNROLL for (int tap = 0; tap < 9; tap++) sum = v_fma(v_set(taps[tap]), v_load(weights + tap * width + n), sum);
            v_store(sums + r * width + n, sum);
        }
    }
}

static void convolve_task(void *context, int64_t index, int thread)
{
    convolve_job *job = context;
    int64_t item = index / job->tasks_of_item, first = index % job->tasks_of_item * job->rows_at_once;
    int64_t positions = job->out_height * job->out_width, rows = least(job->rows_at_once, positions - first);
    int64_t width = pieces(job->outputs, PAIR) * PAIR;
    const float *x = job->x + item * job->height * job->width * job->channels;
    float *y = job->y + (item * positions + first) * job->outputs;
    float *sums = (float *)(job->own + (size_t)thread * job->own_bytes), *columns = sums + CONVOLVE_ROWS * width;
    float *packed = columns + most(CONVOLVE_DEPTH * PAIR, 9 * width);
    if (job->channels == 1)
        convolve_image(job, x, first, rows, columns, sums);
    else {
        memset(sums, 0, sizeof(float) * (size_t)(rows * width));
        convolve_taps(job, x, first, rows, packed, columns, sums);
    }
    for (int64_t r = 0; r < rows; r++, y += job->outputs) {
        const float *s = sums + r * width;
        float lanes[VW];
        int64_t n = 0;
        for (; n + VW <= job->outputs; n += VW) v_store(y + n, v_gelu(v_add(v_load(s + n), v_load(job->bias + n))));
        for (; n < job->outputs; n++) y[n] = ONE(v_gelu, s[n] + job->bias[n]);
    }
}

static size_t convolve_room(const oss_matrix *weight)
{
    size_t width = (size_t)pieces(weight->outputs, PAIR) * PAIR;
    return aligned(sizeof(float) * (CONVOLVE_ROWS * width + (size_t)most(CONVOLVE_DEPTH * PAIR, 9 * (int64_t)width)
                                    + CONVOLVE_ROWS * CONVOLVE_DEPTH + PACK_SLACK));
}

static size_t convolve_scratch(const oss_matrix *weight, int32_t items, int32_t height, int32_t width, int threads)
{
    (void)items, (void)height, (void)width;
    return convolve_room(weight) * (size_t)threads;
}

static void convolve(const oss_matrix *weight, const float *bias, const float *x, int32_t items, int32_t height, int32_t width,
                     float *y, void *scratch, int threads)
{
    convolve_job job = {.weight = weight, .bias = bias, .x = x, .y = y, .height = height, .width = width, .channels = weight->inputs / 9,
                        .out_height = (height + 1) / 2, .out_width = (width + 1) / 2, .outputs = weight->outputs, .own = scratch,
                        .own_bytes = convolve_room(weight)};
    int64_t positions = job.out_height * job.out_width;
    job.tasks_of_item = pieces(positions, CONVOLVE_ROWS);
    job.rows_at_once = pieces(pieces(positions, job.tasks_of_item), TILE_ROWS) * TILE_ROWS;
    job.tasks_of_item = pieces(positions, job.rows_at_once);
    oss_parallel(threads, items * job.tasks_of_item, convolve_task, &job);
}
