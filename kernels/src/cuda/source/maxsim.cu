// Late interaction: for every candidate the sum over query tokens of the best dot product with one
// of its tokens. (Khattab & Zaharia 2020, ColBERT, section 3.3.)
//
// One block a candidate. The query (at most 64 tokens) and a tile of 32 of the candidate's tokens
// stand in shared memory; a thread holds one pair of (query token, slice of the tile's tokens).
// Operations: 2 * n_query * tokens * dim a candidate, on 2 * tokens * dim bytes (f16).

#define MAXSIM_QUERY 64
#define MAXSIM_TILE 32

// `tokens` f16 [total, dim], row-major; candidate c has the tokens starts[c] .. ends[c]. A query
// without tokens scores 0, any other against a candidate without tokens minus infinity.
extern "C" __global__ void __launch_bounds__(256)
    maxsim_f16(const u16 *tokens, const u32 *starts, const u32 *ends, u32 n_candidates,
               const float *query, u32 n_query, u32 dim, float *scores) {
    DYNAMIC_SHARED(float, shared);
    // One float of padding turns rows so that neighbouring tokens fall on different banks.
    const u32 stride = dim + 1;
    float *query_rows = shared;
    float *tile_rows = query_rows + MAXSIM_QUERY * stride;
    float *best = tile_rows + MAXSIM_TILE * stride;
    for (u32 i = threadIdx.x; i < n_query * dim; i += blockDim.x)
        query_rows[(i / dim) * stride + i % dim] = query[i];

    for (u32 candidate = blockIdx.x; candidate < n_candidates; candidate += gridDim.x) {
        const u32 start = starts[candidate], end = ends[candidate];
        // Thread t looks after query token t / 4 and the tile's tokens t % 4, t % 4 + 4, ...
        const u32 token = threadIdx.x / 4, part = threadIdx.x % 4;
        float top = NEGATIVE_INFINITY;
        for (u32 tile = start; tile < end; tile += MAXSIM_TILE) {
            const u32 length = end - tile < MAXSIM_TILE ? end - tile : MAXSIM_TILE;
            __syncthreads();
            for (u32 i = threadIdx.x; i < length * dim; i += blockDim.x)
                tile_rows[(i / dim) * stride + i % dim] =
                    half_to_float(tokens[(u64)tile * dim + i]);
            __syncthreads();
            if (token < n_query)
                for (u32 t = part; t < length; t += 4) {
                    const float *a = query_rows + token * stride;
                    const float *b = tile_rows + t * stride;
                    float sum = 0.0f;
                    for (u32 d = 0; d < dim; ++d) sum = fmaf(a[d], b[d], sum);
                    top = fmaxf(top, sum);
                }
        }
        top = fmaxf(top, __shfl_xor_sync(FULL_WARP, top, 1));
        top = fmaxf(top, __shfl_xor_sync(FULL_WARP, top, 2));
        if (part == 0) best[token] = token < n_query ? top : 0.0f;
        __syncthreads();
        // Added up in the order of the query's tokens, whatever the number of threads.
        if (threadIdx.x == 0) {
            float sum = 0.0f;
            for (u32 i = 0; i < n_query; ++i) sum += best[i];
            scores[candidate] = sum;
        }
        __syncthreads();
    }
}
KERNEL(maxsim_f16)
