/* Products with panels of 8 or 4 bits: activations become int8 with a scale per row and group; sums inside a group are exact. */

/* A block of r rows, r <= DOT_ROWS: words of 4 int8 [inputs / 4][r], then for every group [r] scales, corrections and sums. */
typedef struct dot_block {
    int32_t *words;
    float *scales;                   /* of the activations, times the matrix's unit */
    int32_t *corrections;            /* where an integer sum starts: what the offset of the codes amounts to */
    float *sums;                     /* scale * sum of the int8, for biases */
} dot_block;

static size_t dot_block_bytes(const oss_matrix *matrix, int64_t rows)
{
    return aligned((size_t)rows * (size_t)matrix->inputs) + 3 * aligned((size_t)rows * (size_t)(matrix->inputs / matrix->group) * 4);
}

static dot_block dot_block_at(char *memory, const oss_matrix *matrix, int64_t rows)
{
    size_t groups = aligned((size_t)rows * (size_t)(matrix->inputs / matrix->group) * 4);
    char *p = memory + aligned((size_t)rows * (size_t)matrix->inputs);
    return (dot_block){(int32_t *)memory, (float *)p, (int32_t *)(p + groups), (float *)(p + 2 * groups)};
}

/* How far the codes as multiplied lie above the numbers that they mean, biases aside. */
static int code_zero(const oss_matrix *matrix)
{
    int zero = matrix->biases ? 0 : matrix->type == OSS_Q8 ? 128 : 8;
    return zero - (matrix->type == OSS_Q8 ? DOT_OFFSET : 0);
}

/* Quantise row i of a block of r rows. */
static void dot_quantize(const float *x, const oss_matrix *matrix, dot_block block, int64_t i, int64_t r)
{
    int group = matrix->group, zero = code_zero(matrix);
    for (int64_t g = 0; g < matrix->inputs / group; g++, x += group) {
        V top = v_set(0.0f), nothing = top, most_code = v_set(127.0f), least_code = v_set(-127.0f);
        for (int j = 0; j < group; j += VW) {
            V a = v_load(x + j);
            top = v_max(top, v_abs(a));
            nothing = v_add(nothing, v_sub(a, a));   /* NaN where a number is not finite, and then so is all that comes of this row */
        }
        float largest = v_top(top) + v_sum(nothing), steps = 127.0f / largest;
        V inverse = v_set(steps < INFINITY ? steps : 0.0f);          /* of zeros, and of what is as good as zero (below 4e-37) */
        int8_t bytes[64];
        I sum = i_set(0);
        for (int j = 0; j < group; j += VW) {
            V code = v_max(v_min(v_mul(v_load(x + j), inverse), most_code), least_code);
            sum = v_store_i8(bytes + j, code, sum);
        }
        int32_t *words = block.words + g * (group / 4) * r + i, word;
        for (int j = 0; j < group / 4; j++) {
            memcpy(&word, bytes + 4 * j, 4);
            words[j * r] = word;
        }
        int32_t total = i_sum(sum);
        float scale = largest / 127.0f * matrix->unit;
        block.scales[g * r + i] = scale;
        block.corrections[g * r + i] = -zero * total;
        block.sums[g * r + i] = scale * (float)total;
    }
}

static void dot_prepare(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    const oss_matrix *matrix = job->op->parts;
    int64_t rows = rows_of_block(job, index);
    dot_block block = dot_block_at(job->prepared + (size_t)index * job->block_bytes, matrix, rows);
    for (int64_t i = 0; i < rows; i++)
        dot_quantize(prepared_row(job, index * job->block_rows + i, (float *)(job->own + (size_t)thread * job->own_bytes)), matrix, block, i, rows);
}

/* What is read of a half. */
typedef struct dot_panel {
    const uint8_t *codes;            /* [inputs / 4][16][4], or [inputs / 8][16][4] of 4 bits */
    const uint16_t *scales, *biases; /* [groups][16] */
} dot_panel;

static dot_panel dot_panel_of(const half *h)
{
    const oss_matrix *m = h->matrix;
    int64_t codes = (int64_t)m->inputs * HALF / (m->type == OSS_Q4 ? 2 : 1), scales = (int64_t)(m->inputs / m->group) * HALF;
    return (dot_panel){(const uint8_t *)m->codes + h->panel * codes, m->scales + h->panel * scales,
                       m->biases ? m->biases + h->panel * scales : NULL};
}

/* out (r, PAIR): r rows times `halves` panels. `bits` is 8, 4, or 1 for codes of 4 bits that have been unpacked. */
INLINE void dot_tile(const int r, const int halves, const int bits, const bool has_bias, const dot_panel *panels, dot_block x,
                     int64_t groups, const int group, float *out)
{
    enum { N = DOT_REGISTERS };
    V sums[DOT_ROWS][DOT_HALVES * N];
    UNROLL for (int i = 0; i < r; i++)
        UNROLL for (int j = 0; j < halves * N; j++) sums[i][j] = v_set(0.0f);
    const int step = bits == 4 ? 8 : 4;              /* inputs in 64 bytes */
    for (int64_t g = 0; g < groups; g++) {
        I dots[DOT_ROWS][DOT_HALVES * N];
        UNROLL for (int i = 0; i < r; i++)
            UNROLL for (int j = 0; j < halves * N; j++) dots[i][j] = i_set(x.corrections[g * r + i]);
        const int32_t *words = x.words + g * (group / 4) * r;
        const uint8_t *codes[DOT_HALVES];
        UNROLL for (int h = 0; h < halves; h++) codes[h] = panels[h].codes + g * (group / step) * 64;
#ifdef DOT_PAIRS                      /* for two rows, turning the weights costs what it saves */
        if (r > 2) dot_pairs(r, halves, bits, codes, words, group, dots);
        else
#endif
        for (int t = 0; t < group / step; t++) {
            UNROLL for (int h = 0; h < halves; h++)
                UNROLL for (int n = 0; n < N; n++) {
                    const uint8_t *p = codes[h] + t * 64;
                    W first = bits == 8 ? w_load(p, n) : bits == 4 ? w_low(p, n) : w_load_small(p, n);
                    UNROLL for (int i = 0; i < r; i++) {
                        I word = i_set(words[t * (step / 4) * r + i]);
                        I *sum = &dots[i][h * N + n];
                        *sum = bits == 8 ? i_dot(*sum, first, word) : i_dot_small(*sum, first, word);
                    }
                    if (bits == 4) {
                        W second = w_high(p, n);
                        UNROLL for (int i = 0; i < r; i++)
                            dots[i][h * N + n] = i_dot_small(dots[i][h * N + n], second, i_set(words[(2 * t + 1) * r + i]));
                    }
                }
        }
        UNROLL for (int h = 0; h < halves; h++)
            UNROLL for (int n = 0; n < N; n++) {
                V scale = v_load_f16(panels[h].scales + g * HALF + n * VW);
                V bias = has_bias ? v_load_f16(panels[h].biases + g * HALF + n * VW) : scale;
                UNROLL for (int i = 0; i < r; i++) {
                    V *sum = &sums[i][h * N + n];
                    *sum = v_fma(v_from_i(dots[i][h * N + n]), v_mul(scale, v_set(x.scales[g * r + i])), *sum);
                    if (has_bias) *sum = v_fma(bias, v_set(x.sums[g * r + i]), *sum);
                }
            }
    }
    UNROLL for (int i = 0; i < r; i++)
        UNROLL for (int h = 0; h < halves; h++)
            UNROLL for (int n = 0; n < N; n++) v_store(out + i * PAIR + h * HALF + n * VW, sums[i][h * N + n]);
}

/* One row times one panel: memory is read from end to end, which is how it is read fastest, and four sums hide the latency of
 * the dot products. */
INLINE void dot_row(const int bits, const bool has_bias, const int group, const dot_panel *panel, dot_block x, int64_t groups, float *out)
{
    enum { N = DOT_REGISTERS, CHAINS_OF_ROW = 4 };
    const int step = bits == 4 ? 8 : 4;
    const int64_t ahead = oss_read_ahead;
    const uint8_t *codes = panel->codes;
    const int32_t *words = x.words;
    V sums[N];
    UNROLL for (int n = 0; n < N; n++) sums[n] = v_set(0.0f);
    for (int64_t g = 0; g < groups; g++) {
        I dots[CHAINS_OF_ROW][N];
        UNROLL for (int n = 0; n < N; n++) {
            dots[0][n] = i_set(x.corrections[g]);
            UNROLL for (int j = 1; j < CHAINS_OF_ROW; j++) dots[j][n] = i_set(0);
        }
        for (int t = 0; t < group / step; t += 4, codes += 256, words += step) {
            UNROLL for (int j = 0; j < 4; j++) {
                PREFETCH(codes + j * 64 + ahead);
                UNROLL for (int n = 0; n < N; n++) {
                    const uint8_t *p = codes + j * 64;
                    if (bits == 8)
                        dots[j][n] = i_dot(dots[j][n], w_load(p, n), i_set(words[j]));
                    else if (bits == 1)
                        dots[j][n] = i_dot_small(dots[j][n], w_load_small(p, n), i_set(words[j]));
                    else {
                        dots[j][n] = i_dot_small(dots[j][n], w_low(p, n), i_set(words[2 * j]));
                        dots[j][n] = i_dot_small(dots[j][n], w_high(p, n), i_set(words[2 * j + 1]));
                    }
                }
            }
        }
        UNROLL for (int n = 0; n < N; n++) {
            I dot = i_add(i_add(dots[0][n], dots[1][n]), i_add(dots[2][n], dots[3][n]));
            V scale = v_load_f16(panel->scales + g * HALF + n * VW);
            sums[n] = v_fma(v_from_i(dot), v_mul(scale, v_set(x.scales[g])), sums[n]);
            if (has_bias) sums[n] = v_fma(v_load_f16(panel->biases + g * HALF + n * VW), v_set(x.sums[g]), sums[n]);
        }
    }
    UNROLL for (int n = 0; n < N; n++) v_store(out + n * VW, sums[n]);
}

INLINE void dot_rows(const int bits, const bool has_bias, const int group, int64_t r, const dot_panel *panels, dot_block x, int64_t groups,
                     float *out)
{
    switch (r) {
    case 1:
        for (int h = 0; h < DOT_HALVES; h++) dot_row(bits, has_bias, group, panels + h, x, groups, out + h * HALF);
        break;
    case 2: dot_tile(2, DOT_HALVES, bits, has_bias, panels, x, groups, group, out); break;
    case 3: dot_tile(3, DOT_HALVES, bits, has_bias, panels, x, groups, group, out); break;
    case 4: dot_tile(4, DOT_HALVES, bits, has_bias, panels, x, groups, group, out); break;
#if DOT_ROWS > 4
    case 5: dot_tile(5, DOT_HALVES, bits, has_bias, panels, x, groups, group, out); break;
    case 6: dot_tile(6, DOT_HALVES, bits, has_bias, panels, x, groups, group, out); break;
#endif
    default: break;
    }
}

INLINE void dot_panels(const int bits, const bool has_bias, const int group, int64_t r, const dot_panel *panels, dot_block x, int64_t groups, float *out)
{
    if (group == 64) dot_rows(bits, has_bias, 64, r, panels, x, groups, out);
    else dot_rows(bits, has_bias, 32, r, panels, x, groups, out);
}

/* A pair of halves times one block. */
static void dot_pair(const oss_matrix *m, const dot_panel panels[2], int bits, int64_t r, dot_block x, float *out)
{
    int64_t groups = m->inputs / m->group;
    bool has_bias = m->biases != NULL;
    for (int h = 0; h < 2; h += DOT_HALVES, panels += DOT_HALVES, out += DOT_HALVES * HALF) {
        if (bits == 8 && has_bias) dot_panels(8, true, m->group, r, panels, x, groups, out);
        else if (bits == 8) dot_panels(8, false, m->group, r, panels, x, groups, out);
        else if (bits == 4 && has_bias) dot_panels(4, true, m->group, r, panels, x, groups, out);
        else if (bits == 4) dot_panels(4, false, m->group, r, panels, x, groups, out);
        else if (has_bias) dot_panels(1, true, m->group, r, panels, x, groups, out);
        else dot_panels(1, false, m->group, r, panels, x, groups, out);
    }
}

/* Codes of 4 bits as bytes, for blocks that would unpack them again and again. */
static void dot_unpack(dot_panel *panel, int64_t inputs, uint8_t *codes)
{
    for (int64_t t = 0; t < inputs / 8; t++)
        for (int n = 0; n < DOT_REGISTERS; n++) {
            w_store_small(codes + t * 128, n, w_low(panel->codes + t * 64, n));
            w_store_small(codes + t * 128 + 64, n, w_high(panel->codes + t * 64, n));
        }
    panel->codes = codes;
}

static void dot_multiply(void *context, int64_t index, int thread)
{
    linear_job *job = context;
    const oss_matrix *matrix = job->op->parts;
    int64_t first_block = index % job->row_tasks * job->blocks_at_once, end_block = least(first_block + job->blocks_at_once, job->num_blocks);
    int64_t part = index / job->row_tasks, first = job->is_few ? job->starts[part] : part, end = job->is_few ? job->starts[part + 1] : part + 1;
    bool is_worth_unpacking = matrix->type == OSS_Q4 && end_block - first_block > 2;
    float out[DOT_ROWS * PAIR];
    half pair[2];
    for (int64_t p = first; p < end; p++) {
        find_pair(job->op, p, pair);
        dot_panel panels[2] = {dot_panel_of(pair), dot_panel_of(pair + 1)};
        int bits = matrix->type == OSS_Q8 ? 8 : 4;
        if (is_worth_unpacking) {
            uint8_t *room = (uint8_t *)job->own + (size_t)thread * job->own_bytes;
            dot_unpack(panels, matrix->inputs, room);
            dot_unpack(panels + 1, matrix->inputs, room + (size_t)matrix->inputs * HALF);
            bits = 1;
        }
        for (int64_t b = first_block; b < end_block; b++) {
            int64_t rows = rows_of_block(job, b), row = b * job->block_rows;
            dot_pair(matrix, panels, bits, rows, dot_block_at(job->prepared + (size_t)b * job->block_bytes, matrix, rows), out);
            for (int64_t i = 0; i < rows; i++) finish_row(job->op, pair, out + i * PAIR, job->y + (row + i) * job->y_stride);
        }
    }
    if (job->best) {
        int64_t from = first * PAIR, to = least(end * PAIR, matrix->outputs);
        for (int64_t i = 0; i < job->m; i++) job->parts[index * job->m + i] = best_of(job->y + i * job->y_stride + from, to - from, from);
    }
}
