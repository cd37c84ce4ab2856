/* Attention over float32 or float16 keys and values: vector by vector for a few queries, in tiles for many. */

typedef struct attend_job {
    const oss_attention *op;
    const float *q;
    float *y;
    int64_t q_stride, y_stride;
    int64_t tokens_at_once, blocks;  /* of one head: queries of a task, tasks of a sequence */
    float scale;
    char *own;
    size_t own_bytes;
} attend_job;

typedef struct key_span { int64_t first, end; } key_span;

/* The keys that query `token` of a sequence sees. */
static key_span seen(const oss_attention *op, int64_t sequence, int64_t token)
{
    int64_t own = (int64_t)op->length - op->tokens + token, end = op->causal ? own + 1 : op->length;
    int64_t first = op->padding ? op->padding[sequence] : 0;
    return first < end ? (key_span){first, end} : (key_span){own, own + 1};
}

static int64_t kv_at(const oss_attention *op, int64_t sequence, int64_t head) { return sequence * op->sequence_stride + head * op->head_stride; }

/* -- a few queries ------------------------------------------------------------------------------------------------ */

enum { VALUES = VW == 16 ? 8 : 4 };  /* registers of one value: 128 dimensions at once where two heads of them fit */

/* n query heads of one token against one key head; scores (n, length) is room of this thread. */
INLINE void attend_heads(const int n, const int type, const attend_job *job, int64_t sequence, int64_t token, int64_t head, float *scores)
{
    const oss_attention *op = job->op;
    int64_t dim = op->head_dim, row = sequence * op->tokens + token, at = kv_at(op, sequence, head / (op->heads / op->kv_heads));
    const float *q = job->q + row * job->q_stride + head * dim;
    float *y = job->y + row * job->y_stride + head * dim;
    key_span keys = seen(op, sequence, token);
    int64_t count = keys.end - keys.first, room = op->length;
    for (int64_t t = 0; t < count; t++) {
        int64_t key = at + (keys.first + t) * op->position_stride, i = 0;
        V sums[4];
        float rest[4] = {0};
        UNROLL for (int h = 0; h < n; h++) sums[h] = v_set(0.0f);
        for (; i + VW <= dim; i += VW) {
            V a = v_load_as(op->keys, type, key + i);
            UNROLL for (int h = 0; h < n; h++) sums[h] = v_fma(a, v_load(q + h * dim + i), sums[h]);
        }
        for (; i < dim; i++)
            for (int h = 0; h < n; h++) rest[h] += number_at(op->keys, type, key + i) * q[h * dim + i];
        UNROLL for (int h = 0; h < n; h++) scores[h * room + t] = (v_sum(sums[h]) + rest[h]) * job->scale;
    }
    float shares[4];
    for (int h = 0; h < n; h++) {
        float *s = scores + h * room, lanes[VW], sum = 0;
        V top = v_set(-INFINITY);
        int64_t t = 0;
        for (; t + VW <= count; t += VW) top = v_max(top, v_load(s + t));
        float largest = v_top(top);
        for (; t < count; t++) largest = s[t] > largest ? s[t] : largest;
        V total = v_set(0.0f), centre = v_set(largest);
        for (t = 0; t + VW <= count; t += VW) {
            V p = v_exp(v_sub(v_load(s + t), centre));
            v_store(s + t, p);
            total = v_add(total, p);
        }
        for (; t < count; t++) sum += s[t] = ONE(v_exp, s[t] - largest);
        shares[h] = 1.0f / (sum + v_sum(total));
    }
    int64_t i = 0;
    for (; i + VALUES * VW <= dim; i += VALUES * VW) {
        V sums[4][VALUES];
        UNROLL for (int h = 0; h < n; h++)
            UNROLL for (int j = 0; j < VALUES; j++) sums[h][j] = v_set(0.0f);
        for (int64_t t = 0; t < count; t++) {
            int64_t value = at + (keys.first + t) * op->position_stride + i;
            V a[VALUES];
            UNROLL for (int j = 0; j < VALUES; j++) a[j] = v_load_as(op->values, type, value + j * VW);
            UNROLL for (int h = 0; h < n; h++) {
                V p = v_set(scores[h * room + t]);
                UNROLL for (int j = 0; j < VALUES; j++) sums[h][j] = v_fma(p, a[j], sums[h][j]);
            }
        }
        UNROLL for (int h = 0; h < n; h++)
            UNROLL for (int j = 0; j < VALUES; j++) v_store(y + h * dim + i + j * VW, v_mul(sums[h][j], v_set(shares[h])));
    }
    for (; i < dim; i++)
        for (int h = 0; h < n; h++) {
            float sum = 0;
            for (int64_t t = 0; t < count; t++)
                sum += scores[h * room + t] * number_at(op->values, type, at + (keys.first + t) * op->position_stride + i);
            y[h * dim + i] = sum * shares[h];
        }
}

static void attend_few(void *context, int64_t index, int thread)
{
    attend_job *job = context;
    const oss_attention *op = job->op;
    int64_t group = op->heads / op->kv_heads, sequence = index / op->kv_heads, head = index % op->kv_heads * group;
    float *scores = (float *)(job->own + (size_t)thread * job->own_bytes);
    for (int64_t token = 0; token < op->tokens; token++)
        for (int64_t h = 0; h < group;) {
            bool is_pair = h + 2 <= group;
            if (op->kv_type == OSS_F16 && is_pair) attend_heads(2, OSS_F16, job, sequence, token, head + h, scores);
            else if (op->kv_type == OSS_F16) attend_heads(1, OSS_F16, job, sequence, token, head + h, scores);
            else if (is_pair) attend_heads(2, OSS_F32, job, sequence, token, head + h, scores);
            else attend_heads(1, OSS_F32, job, sequence, token, head + h, scores);
            h += is_pair ? 2 : 1;
        }
}

/* -- many queries ------------------------------------------------------------------------------------------------- */

enum { KEYS = 256 };                 /* keys whose scores are held at once: softmax goes on from one such block to the next */
enum { QUERY_BLOCKS = 8 };           /* blocks of TILE_ROWS queries of one task: a turned tile of keys serves them all */
enum { QUERIES = QUERY_BLOCKS * TILE_ROWS };

typedef struct attend_room {         /* of one thread, for up to QUERIES rows */
    float *q;                        /* [block][dim][TILE_ROWS] */
    float *columns;                  /* [dim or KEYS][PAIR] */
    float *scores;                   /* [QUERIES][KEYS] */
    float *shares;                   /* [block][KEYS][TILE_ROWS] */
    float *sums;                     /* [QUERIES][width] */
    float *tops, *totals;            /* [QUERIES] */
} attend_room;

static int64_t padded_dim(const oss_attention *op) { return pieces(op->head_dim, PAIR) * PAIR; }

static size_t place_room(const oss_attention *op, char *memory, attend_room *room)
{
    int64_t dim = op->head_dim;
    size_t sizes[7] = {(size_t)(QUERIES * dim + PACK_SLACK), (size_t)(most(dim, KEYS) * PAIR), (size_t)QUERIES * KEYS,
                       (size_t)QUERIES * KEYS + PACK_SLACK, (size_t)(QUERIES * padded_dim(op)), QUERIES, QUERIES}, end = 0;
    float *places[7];
    for (int i = 0; i < 7; i++) {
        places[i] = memory ? (float *)(memory + end) : NULL;
        end += aligned(sizes[i] * sizeof(float));
    }
    if (room) *room = (attend_room){places[0], places[1], places[2], places[3], places[4], places[5], places[6]};
    return end;
}

/* Scores of one block of keys become shares of the softmax, and what was summed before is brought to the new scale. */
static void soften(const attend_job *job, const attend_room *room, int64_t row, int64_t first, int64_t count, key_span keys)
{
    float *s = room->scores + row * KEYS, lanes[VW], sum = 0;
    int64_t low = most(keys.first - first, 0), high = least(keys.end - first, count), t = low, width = padded_dim(job->op);
    if (low >= high) {
        memset(s, 0, sizeof(float) * (size_t)count);
        return;
    }
    V top = v_set(room->tops[row]);
    for (; t + VW <= high; t += VW) top = v_max(top, v_load(s + t));
    float largest = v_top(top);
    for (; t < high; t++) largest = s[t] > largest ? s[t] : largest;
    if (largest > room->tops[row] && room->totals[row] > 0) {
        float factor = ONE(v_exp, room->tops[row] - largest), *sums = room->sums + row * width;
        room->totals[row] *= factor;
        for (int64_t i = 0; i < width; i += VW) v_store(sums + i, v_mul(v_load(sums + i), v_set(factor)));
    }
    V centre = v_set(largest), total = v_set(0.0f);
    for (t = low; t + VW <= high; t += VW) {
        V p = v_exp(v_sub(v_load(s + t), centre));
        v_store(s + t, p);
        total = v_add(total, p);
    }
    for (; t < high; t++) sum += s[t] = ONE(v_exp, s[t] - largest);
    memset(s, 0, sizeof(float) * (size_t)low);
    memset(s + high, 0, sizeof(float) * (size_t)(count - high));
    room->tops[row] = largest;
    room->totals[row] += sum + v_sum(total);
}

/* columns[t][0..PAIR] = dimensions from `first` of values t. */
INLINE void copy_values_as(const int type, const oss_attention *op, int64_t at, int64_t count, int64_t first, float *columns)
{
    int64_t width = least(PAIR, op->head_dim - first);
    for (int64_t t = 0; t < count; t++, at += op->position_stride)
        if (width == PAIR)
            UNROLL for (int j = 0; j < PAIR; j += VW) v_store(columns + t * PAIR + j, v_load_as(op->values, type, at + first + j));
        else
            for (int64_t j = 0; j < PAIR; j++) columns[t * PAIR + j] = j < width ? number_at(op->values, type, at + first + j) : 0.0f;
}

static void attend_many(void *context, int64_t index, int thread)
{
    attend_job *job = context;
    const oss_attention *op = job->op;
    attend_room room;
    place_room(op, job->own + (size_t)thread * job->own_bytes, &room);
    int64_t group = op->heads / op->kv_heads, dim = op->head_dim, width = padded_dim(op);
    /* The last queries see the most keys: their tasks come first. */
    int64_t block = job->blocks - 1 - index / (op->sequences * op->kv_heads), rest = index % (op->sequences * op->kv_heads);
    int64_t sequence = rest / op->kv_heads, kv_head = rest % op->kv_heads, at = kv_at(op, sequence, kv_head);
    int64_t first_token = block * job->tokens_at_once, end_token = least(first_token + job->tokens_at_once, op->tokens);
    int64_t rows = (end_token - first_token) * group, low = op->length, high = 0;
    key_span spans[QUERIES];
    const float *queries[QUERIES];
    for (int64_t r = 0; r < rows; r++) {
        int64_t token = first_token + r / group;
        queries[r] = job->q + (sequence * op->tokens + token) * job->q_stride + (kv_head * group + r % group) * dim;
        spans[r] = seen(op, sequence, token);
        low = least(low, spans[r].first), high = most(high, spans[r].end);
        room.tops[r] = -INFINITY, room.totals[r] = 0;
    }
    for (int64_t r = 0; r < rows; r += TILE_ROWS) pack(queries + r, (int)least(TILE_ROWS, rows - r), dim, job->scale, room.q + r * dim);
    memset(room.sums, 0, sizeof(float) * (size_t)(rows * width));
    for (int64_t first = low; first < high; first += KEYS) {
        int64_t count = least(KEYS, high - first);
        memset(room.scores, 0, sizeof(float) * (size_t)(rows * KEYS));
        for (int64_t c = 0; c < count; c += PAIR) {
            const void *keys[PAIR];
            for (int64_t j = 0; j < PAIR; j++)
                keys[j] = number_address(op->keys, op->kv_type, at + least(first + c + j, op->length - 1) * op->position_stride);
            widen(op->kv_type, keys, 0, dim, room.columns);
            widen(op->kv_type, keys + HALF, 0, dim, room.columns + HALF);
            for (int64_t r = 0; r < rows; r += TILE_ROWS)
                tile((int)least(TILE_ROWS, rows - r), room.q + r * dim, room.columns, dim, room.scores + r * KEYS + c, KEYS);
        }
        for (int64_t r = 0; r < rows; r++) soften(job, &room, r, first, count, spans[r]);
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const float *scores[TILE_ROWS];
            for (int64_t i = 0; i < least(TILE_ROWS, rows - r); i++) scores[i] = room.scores + (r + i) * KEYS;
            pack(scores, (int)least(TILE_ROWS, rows - r), count, 1.0f, room.shares + r * KEYS);
        }
        for (int64_t c = 0; c < width; c += PAIR) {
            if (op->kv_type == OSS_F16) copy_values_as(OSS_F16, op, at + first * op->position_stride, count, c, room.columns);
            else copy_values_as(OSS_F32, op, at + first * op->position_stride, count, c, room.columns);
            for (int64_t r = 0; r < rows; r += TILE_ROWS)
                tile((int)least(TILE_ROWS, rows - r), room.shares + r * KEYS, room.columns, count, room.sums + r * width + c, width);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        float share = 1.0f / room.totals[r];
        float *y = job->y + (sequence * op->tokens + first_token + r / group) * job->y_stride + (kv_head * group + r % group) * dim;
        for (int64_t i = 0; i < dim; i++) y[i] = room.sums[r * width + i] * share;
    }
}

static bool is_few_queries(const oss_attention *op) { return op->tokens * (op->heads / op->kv_heads) <= TILE_ROWS / 2 || op->heads / op->kv_heads > QUERIES; }

static size_t attention_room(const oss_attention *op)
{
    if (is_few_queries(op)) return aligned(sizeof(float) * 2 * (size_t)op->length);
    return place_room(op, NULL, NULL);
}

static size_t attention_scratch(const oss_attention *op, int threads) { return attention_room(op) * (size_t)threads; }

static void attend(const oss_attention *op, const float *q, int64_t q_stride, float *y, int64_t y_stride, void *scratch, int threads)
{
    attend_job job = {.op = op, .q = q, .y = y, .q_stride = q_stride, .y_stride = y_stride, .own = scratch,
                      .own_bytes = attention_room(op), .scale = 1.0f / sqrtf((float)op->head_dim)};
    if (is_few_queries(op)) {
        oss_parallel(threads, (int64_t)op->sequences * op->kv_heads, attend_few, &job);
        return;
    }
    int64_t group = op->heads / op->kv_heads;
    job.blocks = pieces(op->tokens, QUERIES / group);
    job.tokens_at_once = pieces(op->tokens, job.blocks);
    oss_parallel(threads, job.blocks * op->sequences * op->kv_heads, attend_many, &job);
}
