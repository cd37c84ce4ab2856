/* The float product that everything else is made of: a few packed rows times 32 packed columns.
 *
 * Rows come packed as [k][TILE_ROWS], columns as [k][PAIR], both float32 in a core's nearest cache.
 */

/* c (rows, PAIR) += a b over k terms. */
INLINE void tile_rows(const int rows, const float *a, const float *b, int64_t k, float *c, int64_t ldc)
{
    enum { N = TILE_HALVES * HALF / VW };
    for (int part = 0; part < PAIR; part += TILE_HALVES * HALF) {
        V sum[TILE_ROWS][N];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int j = 0; j < N; j++) sum[i][j] = v_set(0.0f);
        for (int64_t t = 0; t < k; t++) {
            V w[N];
            UNROLL for (int j = 0; j < N; j++) w[j] = v_load(b + t * PAIR + part + j * VW);
            UNROLL for (int i = 0; i < rows; i++) {
                V x = v_set(a[t * TILE_ROWS + i]);
                UNROLL for (int j = 0; j < N; j++) sum[i][j] = v_fma(x, w[j], sum[i][j]);
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int j = 0; j < N; j++) {
                float *p = c + i * ldc + part + j * VW;
                v_store(p, v_add(v_load(p), sum[i][j]));
            }
    }
}

static void tile(int rows, const float *a, const float *b, int64_t k, float *c, int64_t ldc)
{
    switch (rows) {
    case TILE_ROWS: tile_rows(TILE_ROWS, a, b, k, c, ldc); return;
#if TILE_ROWS > 12
    case 13: case 12: tile_rows(12, a, b, k, c, ldc); if (rows == 12) return; break;
    case 11: case 10: tile_rows(10, a, b, k, c, ldc); if (rows == 10) return; break;
    case 9: case 8: tile_rows(8, a, b, k, c, ldc); if (rows == 8) return; break;
    case 7: case 6: tile_rows(6, a, b, k, c, ldc); if (rows == 6) return; break;
#endif
    case 5: case 4: tile_rows(4, a, b, k, c, ldc); if (rows == 4) return; break;
    case 3: case 2: tile_rows(2, a, b, k, c, ldc); if (rows == 2) return; break;
    default: break;
    }
    tile_rows(1, a + rows - 1, b, k, c + (rows - 1) * ldc, ldc);         /* the last of an odd number */
}

/* Turn 16 rows of numbers into columns: b[t][16 of PAIR] = rows[i][first + t], for t below k. */
INLINE void widen_as(const int type, const void *const rows[HALF], int64_t first, int64_t k, float *b)
{
    int64_t t = 0;
    for (; t + VW <= k; t += VW)
        for (int i = 0; i < HALF; i += VW) {
            V r[VW];
            UNROLL for (int j = 0; j < VW; j++) r[j] = v_load_as(rows[i + j], type, first + t);
            v_transpose(r);
            UNROLL for (int j = 0; j < VW; j++) v_store(b + (t + j) * PAIR + i, r[j]);
        }
    for (; t < k; t++)
        for (int i = 0; i < HALF; i++) b[t * PAIR + i] = number_at(rows[i], type, first + t);
}
static void widen(int type, const void *const rows[HALF], int64_t first, int64_t k, float *b)
{
    if (type == OSS_BF16) widen_as(OSS_BF16, rows, first, k, b);
    else if (type == OSS_F16) widen_as(OSS_F16, rows, first, k, b);
    else widen_as(OSS_F32, rows, first, k, b);
}

/* Pack up to TILE_ROWS rows of float32, times `scale`, as [k][TILE_ROWS]; missing ones are zeros. Writes PACK_SLACK numbers
 * more than k * TILE_ROWS, of no meaning. */
enum { PACK_PARTS = (TILE_ROWS + VW - 1) / VW, PACK_SLACK = PACK_PARTS * VW - TILE_ROWS };

static void pack(const float *const *rows, int num_rows, int64_t k, float scale, float *a)
{
    V s = v_set(scale);
    int64_t t = 0;
    for (; t + VW <= k; t += VW) {
        V r[PACK_PARTS][VW];
        for (int part = 0; part < PACK_PARTS; part++) {
            for (int j = 0; j < VW; j++) {
                int row = part * VW + j;
                r[part][j] = row < num_rows ? v_mul(v_load(rows[row] + t), s) : v_set(0.0f);
            }
            v_transpose(r[part]);
        }
        for (int j = 0; j < VW; j++)                 /* what a store writes too much, the next one puts right */
            for (int part = 0; part < PACK_PARTS; part++) v_store(a + (t + j) * TILE_ROWS + part * VW, r[part][j]);
    }
    for (; t < k; t++)
        for (int i = 0; i < TILE_ROWS; i++) a[t * TILE_ROWS + i] = i < num_rows ? rows[i][t] * scale : 0.0f;
}
