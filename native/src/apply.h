/* How a fused product is cut into tasks, and where its scratch memory goes. */

enum { ROWS_AT_ONCE = 252 };         /* rows that one task multiplies: 18 blocks of 14, so a widened tile pays for itself */

/* Cut the pairs into tasks for so few rows that reading the weights is what takes time. A stretch of memory is read fastest from
 * end to end, so each task takes half of what would be its thread's share of the rest: long ones first, and at last short ones,
 * which even out what a busy core leaves undone. */
static void cut_pairs(linear_job *job, int threads)
{
    int64_t next = 0;
    for (job->num_parts = 0; next < job->num_pairs; job->num_parts++) {
        int64_t rest = job->num_pairs - next, places = MOST_PARTS - job->num_parts;
        job->starts[job->num_parts] = next;
        next += least(rest, most(most(1, rest / ((int64_t)threads * 2)), pieces(rest, places)));
    }
    job->starts[job->num_parts] = job->num_pairs;
}

static linear_job plan_linear(const oss_linear *op, int64_t m, int threads)
{
    const oss_matrix *matrix = op->parts;
    linear_job job = {.op = op, .m = m, .num_pairs = num_pairs(op), .row_tasks = 1};
    size_t k = (size_t)matrix->inputs;
    if (is_panel(matrix->type)) {
        job.is_few = m <= 2 * DOT_ROWS;
        job.num_blocks = pieces(m, DOT_ROWS);
        job.block_rows = pieces(m, job.num_blocks);                /* 8 rows are 4 and 4, not 6 and 2 */
        job.num_blocks = pieces(m, job.block_rows);
        job.block_bytes = dot_block_bytes(matrix, job.block_rows);
        job.own_bytes = aligned(k * PAIR);
    } else {
        job.is_few = m <= FEW;
        job.block_rows = job.is_few ? 1 : TILE_ROWS;
        job.num_blocks = pieces(m, job.block_rows);
        job.block_bytes = aligned((k * (size_t)job.block_rows + (job.is_few ? 0 : PACK_SLACK)) * 4);
        /* rows before they are packed; later a widened tile, and the sums of the rows that are multiplied at once */
        job.own_bytes = aligned((size_t)most((int64_t)k * TILE_ROWS, DEPTH * PAIR + (ROWS_AT_ONCE + TILE_ROWS) * PAIR) * 4);
    }
    if (job.is_few) {
        job.blocks_at_once = job.num_blocks;
        cut_pairs(&job, threads);
    } else {
        job.num_parts = job.num_pairs;
        job.blocks_at_once = most(1, ROWS_AT_ONCE / job.block_rows);
        job.row_tasks = pieces(job.num_blocks, job.blocks_at_once);
        job.blocks_at_once = pieces(job.num_blocks, job.row_tasks);
    }
    return job;
}

static int64_t num_tasks(const linear_job *job) { return job->num_parts * job->row_tasks; }

static size_t linear_scratch(const oss_linear *op, int64_t m, int threads)
{
    linear_job job = plan_linear(op, m, threads);
    return aligned((size_t)job.num_blocks * job.block_bytes) + (size_t)threads * job.own_bytes
         + aligned((size_t)num_tasks(&job) * (size_t)least(m, 2 * DOT_ROWS) * sizeof(part_best));
}

static void apply(const oss_linear *op, const float *x, int64_t x_stride, int64_t m, float *y, int64_t y_stride, oss_best *best,
                  void *scratch, int threads)
{
    linear_job job = plan_linear(op, m, threads);
    bool is_fused = best && job.is_few, is_dot = is_panel(op->parts->type);
    job.x = x, job.x_stride = x_stride, job.y = y, job.y_stride = y_stride;
    job.prepared = scratch;
    job.own = job.prepared + aligned((size_t)job.num_blocks * job.block_bytes);
    job.parts = (part_best *)(job.own + (size_t)threads * job.own_bytes);
    job.best = is_fused ? best : NULL;
    oss_task *prepare = is_dot ? dot_prepare : job.is_few ? dense_prepare_few : dense_prepare;
    oss_task *multiply = is_dot ? dot_multiply : job.is_few ? dense_multiply_few : dense_multiply;
    oss_parallel(m <= 2 ? 1 : threads, job.num_blocks, prepare, &job);           /* one row is ready sooner than a thread is awake */
    oss_parallel(threads, num_tasks(&job), multiply, &job);
    if (is_fused)
        for (int64_t i = 0; i < m; i++) best[i] = join_best(job.parts + i, num_tasks(&job), m);
    else if (best)
        greedy(y, y_stride, m, op->parts->outputs, best, threads);
}
