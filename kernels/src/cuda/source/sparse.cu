// Exact search over sparse rows: a forward scan of all rows against one dense query, fused with the
// choice of the best k. Stands after scan.cu.
//
// A warp takes a row: its terms and weights are read once, in order, and the query's weights are
// gathered from a table of the vocabulary that stays in the second cache.

// Row r has the entries starts[r] .. starts[r + 1] of `terms` (below `vocabulary`) and `weights`
// (f16). Rows without a term of the query score 0 and are not offered.
extern "C" __global__ void __launch_bounds__(256)
    scan_sparse(const u64 *starts, const u32 *terms, const u16 *weights, const float *query,
                u32 vocabulary, u32 first, u32 end, const u32 *filter, u64 *keys, u32 *counts,
                const u64 *bars, u32 capacity) {
    const Candidates best = {keys, counts, bars, capacity};
    const u32 lane = threadIdx.x % 32;
    const u32 warps = gridDim.x * (blockDim.x / 32);
    const u32 warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    for (u64 row = (u64)first + warp; row < end; row += warps) {
        float sum = 0.0f;
        for (u64 at = starts[row] + lane; at < starts[row + 1]; at += 32) {
            const u32 term = terms[at];
            if (term < vocabulary) sum = fmaf(half_to_float(weights[at]), query[term], sum);
        }
        sum = group_sum(sum, 32);
        if (lane == 0 && sum != 0.0f && allowed(filter, (u32)row)) offer(best, 0, sum, (u32)row);
    }
}
KERNEL(scan_sparse)
