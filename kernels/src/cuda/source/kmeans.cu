// The two steps of Lloyd's k-means, for the cells of an inverted file and for codebooks.

// nearest[i] = the centroid with the greatest dot product with row i minus half its squared length
// (the same as the smallest Euclidean distance), ties by the lower centroid. One warp a row.
extern "C" __global__ void __launch_bounds__(256)
    kmeans_assign(const float *rows, const float *centroids, const float *half_norms, u32 n,
                  u32 n_centroids, u32 dim, u32 *nearest, float *scores) {
    const u32 lane = threadIdx.x % 32;
    const u32 warps = gridDim.x * (blockDim.x / 32);
    const u32 warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    for (u64 row = warp; row < n; row += warps) {
        float best = NEGATIVE_INFINITY;
        u32 cell = 0;
        for (u32 c = 0; c < n_centroids; ++c) {
            float sum = 0.0f;
            for (u32 d = lane; d < dim; d += 32)
                sum = fmaf(rows[row * dim + d], centroids[(u64)c * dim + d], sum);
            sum = group_sum(sum, 32) - half_norms[c];
            if (sum > best) {
                best = sum;
                cell = c;
            }
        }
        if (lane == 0) {
            nearest[row] = cell;
            scores[row] = best;
        }
    }
}
KERNEL(kmeans_assign)

// centroids[c] = the mean of its members, which stand in `members` at starts[c] .. starts[c + 1]
// (a counting sort by the host). A centroid without members stays. One block a centroid; a thread
// adds up its dimensions in the order of the members, so the result is the same in every run.
extern "C" __global__ void __launch_bounds__(256)
    kmeans_update(const float *rows, const u32 *members, const u64 *starts, u32 dim,
                  float *centroids, float *half_norms) {
    __shared__ float parts[256];
    const u32 c = blockIdx.x;
    const u64 start = starts[c], end = starts[c + 1];
    float norm = 0.0f;
    for (u32 d = threadIdx.x; d < dim; d += blockDim.x) {
        float value = centroids[(u64)c * dim + d];
        if (end > start) {
            float sum = 0.0f;
            for (u64 at = start; at < end; ++at) sum += rows[(u64)members[at] * dim + d];
            value = sum / (float)(end - start);
            centroids[(u64)c * dim + d] = value;
        }
        norm = fmaf(value, value, norm);
    }
    parts[threadIdx.x] = norm;
    __syncthreads();
    if (threadIdx.x == 0) {
        float all = 0.0f;
        for (u32 i = 0; i < blockDim.x; ++i) all += parts[i];
        half_norms[c] = 0.5f * all;
    }
}
KERNEL(kmeans_update)
