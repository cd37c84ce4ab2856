/* Two rows at once, for instruction sets that multiply 2 outputs x 8 inputs by 8 inputs x 2 rows (DOT_PAIRS in simd_*.h). */

/* What one group adds to dots (r, halves * DOT_REGISTERS); a last odd row goes alone. Arguments as in dot_tile. */
INLINE void dot_pairs(const int r, const int halves, const int bits, const uint8_t *const *codes, const int32_t *words, const int group,
                      I dots[DOT_ROWS][DOT_HALVES * DOT_REGISTERS])
{
    enum { N = DOT_REGISTERS };
    const int step = bits == 4 ? 64 : 128;           /* bytes of 8 inputs */
    UNROLL for (int i = 0; i + 1 < r; i += 2)
        UNROLL for (int j = 0; j < halves * N; j++) i_join(&dots[i][j], &dots[i + 1][j]);
    for (int t = 0; t < group / 8; t++, words += 2 * r)
        UNROLL for (int h = 0; h < halves; h++)
            UNROLL for (int n = 0; n < N; n++) {
                const uint8_t *p = codes[h] + t * step;
                W first = bits == 8 ? w_load(p, n) : bits == 4 ? w_low(p, n) : w_load_small(p, n);
                W second = bits == 8 ? w_load(p + 64, n) : bits == 4 ? w_high(p, n) : w_load_small(p + 64, n);
                W low = w_pair_low(first, second), high = w_pair_high(first, second);
                UNROLL for (int i = 0; i + 1 < r; i += 2) {
                    I x = i_load_pair(words + i, r);
                    I *sums = &dots[i][h * N + n], *others = &dots[i + 1][h * N + n];
                    *sums = i_dot_pair(*sums, low, x);
                    *others = i_dot_pair(*others, high, x);
                }
                if (r % 2) {
                    I *sum = &dots[r - 1][h * N + n];
                    *sum = i_dot(i_dot(*sum, first, i_set(words[r - 1])), second, i_set(words[2 * r - 1]));
                }
            }
    UNROLL for (int i = 0; i + 1 < r; i += 2)
        UNROLL for (int j = 0; j < halves * N; j++) i_part(&dots[i][j], &dots[i + 1][j]);
}
