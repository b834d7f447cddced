// One step of personalized PageRank for a batch of queries (power iteration, pull form):
//   next[v, q] = (1 - damping) * seed[v, q]
//              + damping * sum over edges u -> v of weight(u, v) * (rank[u, q])
//              + damping * lost[q] * seed[v, q]
// where the weights out of each node add up to 1 and lost[q] is the rank that stood on nodes
// without a way out. (Page et al. 1999, section 2.4 and 6; Haveliwala 2002.)
//
// A warp takes a node; its lanes take queries, so that neighbouring lanes read neighbouring values
// of `rank` [n, queries]. The sum runs in the order of the edges: the same on every device.

// Node v has the entries starts[v] .. starts[v + 1] of `sources` and `weights`.
extern "C" __global__ void __launch_bounds__(256)
    pagerank_step(const u64 *starts, const u32 *sources, const float *weights, const float *seeds,
                  const float *lost, const float *rank, float *next, u32 n, u32 queries,
                  float damping) {
    const u32 lane = threadIdx.x % 32;
    const u32 warps = gridDim.x * (blockDim.x / 32);
    const u32 warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    for (u64 v = warp; v < n; v += warps)
        for (u32 q = lane; q < queries; q += 32) {
            float sum = 0.0f;
            for (u64 at = starts[v]; at < starts[v + 1]; ++at)
                sum = fmaf(weights[at], rank[(u64)sources[at] * queries + q], sum);
            const float seed = seeds[v * queries + q];
            next[v * queries + q] =
                fmaf(damping, fmaf(lost[q], seed, sum), (1.0f - damping) * seed);
        }
}
KERNEL(pagerank_step)

// lost[q] = the rank on nodes without a way out. One block a query; partial sums are added in a
// fixed order.
extern "C" __global__ void __launch_bounds__(256)
    pagerank_lost(const u8 *dangling, const float *rank, float *lost, u32 n, u32 queries) {
    __shared__ float parts[256];
    const u32 q = blockIdx.x;
    float sum = 0.0f;
    for (u64 v = threadIdx.x; v < n; v += blockDim.x)
        if (dangling[v]) sum += rank[v * queries + q];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        float all = 0.0f;
        for (u32 i = 0; i < blockDim.x; ++i) all += parts[i];
        lost[q] = all;
    }
}
KERNEL(pagerank_lost)
