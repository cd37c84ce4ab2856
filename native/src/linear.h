/* Fused products, y = activation(norm(x) W^T + bias): what every format shares. dot.h and dense.h do the multiplying.
 *
 * First the rows of x are prepared (normalised, quantised, packed) into scratch memory; then tasks of one pair of halves
 * (16 outputs each) and some rows are handed to the pool. A pair is two neighbours, or a gate and its up for SWIGLU.
 */

typedef struct half {                /* 16 outputs, `count` of which exist; none at all past the end */
    const oss_matrix *matrix;
    int64_t panel;                   /* of the matrix */
    int64_t column;                  /* of y */
    int count;
} half;

static bool is_panel(int type) { return type == OSS_Q8 || type == OSS_Q4; }

static int64_t num_pairs(const oss_linear *op)
{
    if (op->activation == OSS_SWIGLU) return pieces(op->parts[0].outputs, HALF);
    int64_t halves = 0;
    for (int i = 0; i < op->num_parts; i++) halves += pieces(op->parts[i].outputs, HALF);
    return pieces(halves, 2);
}

static void find_pair(const oss_linear *op, int64_t pair, half found[2])
{
    for (int side = 0; side < 2; side++) {
        int part = 0;
        int64_t index = 2 * pair + side, column = 0;
        if (op->activation == OSS_SWIGLU) {
            part = side;
            index = pair;
        } else
            for (; part < op->num_parts && index >= pieces(op->parts[part].outputs, HALF); part++) {
                index -= pieces(op->parts[part].outputs, HALF);
                column += op->parts[part].outputs;
            }
        if (part == op->num_parts) {
            found[side] = (half){&op->parts[0], 0, 0, 0};
            continue;
        }
        const oss_matrix *matrix = op->parts + part;
        found[side] = (half){matrix, index, column + index * HALF, (int)least(HALF, matrix->outputs - index * HALF)};
    }
}

/* The end of a row's product: 32 sums become outputs. */
static void finish_row(const oss_linear *op, const half pair[2], const float *sums, float *y)
{
    const float *bias = op->bias;
    if (op->activation == OSS_SWIGLU) {
        float out[HALF];
        for (int j = 0; j < HALF; j += VW) v_store(out + j, v_mul(v_silu(v_load(sums + j)), v_load(sums + HALF + j)));
        memcpy(y + pair[0].column, out, sizeof(float) * (size_t)pair[0].count);
        return;
    }
    for (int side = 0; side < 2; side++) {
        int count = pair[side].count;
        int64_t column = pair[side].column;
        float out[HALF] = {0};
        if (count == 0) continue;
        if (bias) memcpy(out, bias + column, sizeof(float) * (size_t)count);
        for (int j = 0; j < HALF; j += VW) {
            V a = v_add(v_load(sums + side * HALF + j), v_load(out + j));
            v_store(out + j, op->activation == OSS_GELU ? v_gelu(a) : a);
        }
        if (op->add)
            for (int j = 0; j < count; j++) y[column + j] += out[j];
        else
            memcpy(y + column, out, sizeof(float) * (size_t)count);
    }
}

/* The largest and the softmax's sum of part of a row, so that parts can be put together. */
typedef struct part_best {
    float logit, sum;                /* sum of exp(logits - logit) */
    int32_t id;
} part_best;

static part_best best_of(const float *logits, int64_t n, int64_t first)
{
    V top = v_set(-INFINITY);
    int64_t i = 0;
    for (; i + VW <= n; i += VW) top = v_max(top, v_load(logits + i));
    float largest = v_top(top);
    for (; i < n; i++) largest = logits[i] > largest ? logits[i] : largest;
    V centre = v_set(largest), sum = v_set(0.0f);
    float lanes[VW], rest = 0;
    int32_t id = -1;
    for (i = 0; i + VW <= n; i += VW) {
        V a = v_load(logits + i);
        sum = v_add(sum, v_exp(v_sub(a, centre)));
        if (id < 0 && v_top(a) >= largest)
            for (int j = 0; j < VW && id < 0; j++)
                if (logits[i + j] >= largest) id = (int32_t)(first + i + j);
    }
    for (; i < n; i++) {
        rest += ONE(v_exp, logits[i] - largest);
        if (id < 0 && logits[i] >= largest) id = (int32_t)(first + i);
    }
    return (part_best){largest, v_sum(sum) + rest, id < 0 ? (int32_t)first : id};
}

static oss_best join_best(const part_best *parts, int64_t num, int64_t stride)
{
    part_best best = parts[0];
    for (int64_t i = 1; i < num; i++) {
        part_best next = parts[i * stride];
        bool is_larger = next.logit > best.logit;        /* the earlier one stays where both are equal */
        float top = is_larger ? next.logit : best.logit;
        best.sum = best.sum * expf(best.logit - top) + next.sum * expf(next.logit - top);
        best.logit = top;
        best.id = is_larger ? next.id : best.id;
    }
    return (oss_best){best.logit, -logf(best.sum), best.id};
}

enum { MOST_PARTS = 96 };             /* tasks that the pairs of a product with few rows are cut into */

/* What one call works on. */
typedef struct linear_job {
    const oss_linear *op;
    const float *x;
    float *y;
    oss_best *best;
    int64_t x_stride, y_stride, m;
    int64_t block_rows;              /* rows that are prepared, and multiplied, together */
    int64_t num_blocks, blocks_at_once, num_pairs, row_tasks;
    int64_t starts[MOST_PARTS + 1];  /* first pair of each task; where there are few rows, the first tasks are the longest */
    int64_t num_parts;
    char *prepared;                  /* all blocks, one after the other */
    size_t block_bytes;
    char *own;                       /* of each thread */
    size_t own_bytes;
    part_best *parts;                /* [task][m] */
    bool is_few;                     /* so few rows that weights are best read once, for all of them */
} linear_job;

static int64_t rows_of_block(const linear_job *job, int64_t block) { return least(job->block_rows, job->m - block * job->block_rows); }

/* One row of x, normalised where that is asked for; `room` holds a row. */
static const float *prepared_row(const linear_job *job, int64_t row, float *room)
{
    const oss_linear *op = job->op;
    const float *x = job->x + row * job->x_stride;
    if (op->norm == OSS_NO_NORM) return x;
    normalize_row(op->norm, op->norm_weight, op->norm_bias, op->norm_eps, x, op->parts[0].inputs, room);
    return room;
}
