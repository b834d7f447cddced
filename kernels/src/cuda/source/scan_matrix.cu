// The scan of many queries as a matrix product on the matrix units, f16 in and f32 sums, fused with
// the offer of each score to its query's candidates. Stands after scan.cu.
//
// A block takes 64 queries and a tile of 128 rows; its 8 warps stand 2 along the queries and 4
// along the rows, each with a 32 x 32 piece of the product. Rows move through shared memory once
// for all 64 queries: 2 * 64 * dim operations on 2 * dim bytes, 64 a byte.

#define TILE_QUERIES 64
#define TILE_ROWS 128
#define TILE_DEPTH 32
// 8 halves of padding turn the rows of a tile so that eight of them fall on different banks.
#define TILE_STRIDE (TILE_DEPTH + 8)

extern "C" __global__ void __launch_bounds__(256)
    scan_f16_64(const u16 *rows, const u16 *queries, u32 n_queries, u32 width, u32 first, u32 end,
                const u32 *filter, u64 *keys, u32 *counts, const u64 *bars, u32 capacity) {
    __shared__ __align__(16) u16 query_tile[TILE_QUERIES * TILE_STRIDE];
    __shared__ __align__(16) u16 row_tile[TILE_ROWS * TILE_STRIDE];
    const Candidates best = {keys, counts, bars, capacity};
    const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const u32 warp_query = (warp / 4) * 32, warp_row = (warp % 4) * 32;
    // Fragment coordinates of "mma.m16n8k16": see the PTX ISA.
    const u32 group = lane / 4, member = lane % 4;
    const u32 tiles = (end - first + TILE_ROWS - 1) / TILE_ROWS;
    const uint4 nothing = {0, 0, 0, 0};

    for (u32 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const u64 base = (u64)first + (u64)tile * TILE_ROWS;
        float sums[2][4][4];
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j)
#pragma unroll
                for (int e = 0; e < 4; ++e) sums[i][j][e] = 0.0f;

        for (u32 depth = 0; depth < width; depth += TILE_DEPTH) {
            // 64 x 32 halves of the queries are 256 loads of 16 bytes, one a thread.
            {
                const u32 r = threadIdx.x / 4, c = (threadIdx.x % 4) * 8;
                const bool inside = r < n_queries && depth + c < width;
                *reinterpret_cast<uint4 *>(&query_tile[r * TILE_STRIDE + c]) =
                    inside ? *reinterpret_cast<const uint4 *>(&queries[(u64)r * width + depth + c])
                           : nothing;
            }
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 r = threadIdx.x / 4 + half * 64, c = (threadIdx.x % 4) * 8;
                const bool inside = base + r < end && depth + c < width;
                *reinterpret_cast<uint4 *>(&row_tile[r * TILE_STRIDE + c]) =
                    inside ? __ldcs(reinterpret_cast<const uint4 *>(
                                 &rows[(base + r) * width + depth + c]))
                           : nothing;
            }
            __syncthreads();
#pragma unroll
            for (int step = 0; step < TILE_DEPTH; step += 16) {
                u32 a[2][4], b[4][2];
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const u16 *at = &query_tile[(warp_query + i * 16 + group) * TILE_STRIDE + step +
                                                member * 2];
                    a[i][0] = *reinterpret_cast<const u32 *>(at);
                    a[i][1] = *reinterpret_cast<const u32 *>(at + 8 * TILE_STRIDE);
                    a[i][2] = *reinterpret_cast<const u32 *>(at + 8);
                    a[i][3] = *reinterpret_cast<const u32 *>(at + 8 * TILE_STRIDE + 8);
                }
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    const u16 *at =
                        &row_tile[(warp_row + j * 8 + group) * TILE_STRIDE + step + member * 2];
                    b[j][0] = *reinterpret_cast<const u32 *>(at);
                    b[j][1] = *reinterpret_cast<const u32 *>(at + 8);
                }
#pragma unroll
                for (int i = 0; i < 2; ++i)
#pragma unroll
                    for (int j = 0; j < 4; ++j) mma_m16n8k16(sums[i][j], a[i], b[j]);
            }
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j)
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const u32 query = warp_query + i * 16 + group + (e / 2) * 8;
                    const u64 row = base + warp_row + j * 8 + member * 2 + e % 2;
                    if (query < n_queries && row < end && allowed(filter, (u32)row))
                        offer(best, query, sums[i][j][e], (u32)row);
                }
    }
}
KERNEL(scan_f16_64)
