// The pieces of a transformer encoder (BERT: Devlin et al. 2019; Vaswani et al. 2017, section 3),
// activations in 16-bit floats, every sum in f32. Compiled once for f16 and once for bf16: the file
// before this one says what NAME, to_float, from_float and mma_16 are. Sequences stand end to end
// without padding: sequence s has the rows starts[s] .. starts[s + 1].

// The rows of a layer norm by one warp: out = (x - mean) / sqrt(variance + eps) * gain + bias.
// `values[i]` holds column lane + 32 * i. Two passes, so no cancellation in the variance.
#define NORM_COLUMNS 32  // widths up to 1024

__device__ __forceinline__ void norm_row(float values[NORM_COLUMNS], u32 width, u32 lane,
                                         const float *gain, const float *bias, float eps,
                                         u16 *out) {
    float sum = 0.0f;
#pragma unroll
    for (u32 i = 0; i < NORM_COLUMNS; ++i)
        if (lane + 32 * i < width) sum += values[i];
    const float mean = group_sum(sum, 32) / (float)width;
    float square = 0.0f;
#pragma unroll
    for (u32 i = 0; i < NORM_COLUMNS; ++i)
        if (lane + 32 * i < width) {
            values[i] -= mean;
            square = fmaf(values[i], values[i], square);
        }
    const float inverse = rsqrtf(group_sum(square, 32) / (float)width + eps);
#pragma unroll
    for (u32 i = 0; i < NORM_COLUMNS; ++i) {
        const u32 c = lane + 32 * i;
        if (c < width) out[c] = from_float(fmaf(values[i] * inverse, gain[c], bias[c]));
    }
}

// hidden[row] = norm(words[ids[row]] + positions[places[row]]); token types are folded into the
// positions by the host. One warp a row.
extern "C" __global__ void __launch_bounds__(256)
    NAME(embed_norm)(const u32 *ids, const u32 *places, const u16 *words, const u16 *positions, u32 rows,
               u32 width, const float *gain, const float *bias, float eps, u16 *hidden) {
    const u32 lane = threadIdx.x % 32;
    const u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    const u16 *word = words + (u64)ids[row] * width;
    const u16 *place = positions + (u64)places[row] * width;
    float values[NORM_COLUMNS];
#pragma unroll
    for (u32 i = 0; i < NORM_COLUMNS; ++i) {
        const u32 c = lane + 32 * i;
        values[i] = c < width ? to_float(word[c]) + to_float(place[c]) : 0.0f;
    }
    norm_row(values, width, lane, gain, bias, eps, hidden + (u64)row * width);
}
KERNEL(NAME(embed_norm))

// hidden = norm(hidden + added), row by row. One warp a row.
extern "C" __global__ void __launch_bounds__(256)
    NAME(add_norm)(u16 *hidden, const u16 *added, u32 rows, u32 width, const float *gain,
             const float *bias, float eps) {
    const u32 lane = threadIdx.x % 32;
    const u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    float values[NORM_COLUMNS];
#pragma unroll
    for (u32 i = 0; i < NORM_COLUMNS; ++i) {
        const u32 c = lane + 32 * i;
        values[i] = c < width ? to_float(hidden[(u64)row * width + c]) +
                                    to_float(added[(u64)row * width + c])
                              : 0.0f;
    }
    norm_row(values, width, lane, gain, bias, eps, hidden + (u64)row * width);
}
KERNEL(NAME(add_norm))

// The exact GELU, x / 2 * (1 + erf(x / sqrt(2))).
__device__ __forceinline__ float gelu(float x) {
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

// `activation` 1 for GELU, 2 for tanh, 0 for none.
__device__ __forceinline__ float activated(float x, u32 activation) {
    if (activation == 1) return gelu(x);
    return activation == 2 ? tanhf(x) : x;
}

#define LINEAR_M 64
#define LINEAR_N 128
#define LINEAR_K 32
#define LINEAR_STRIDE (LINEAR_K + 8)

// out[m, n] = act(x[m, k] weights[n, k]^T + bias[n]); 16 bits in and out, f32 sums. k is a multiple
// of 8. A block makes 64 x 128 of the product, 8 warps of 32 x 32 each.
extern "C" __global__ void __launch_bounds__(256)
    NAME(linear)(const u16 *x, const u16 *weights, const u16 *bias, u32 m, u32 n, u32 k,
                 u32 activation, u16 *out) {
    __shared__ __align__(16) u16 x_tile[LINEAR_M * LINEAR_STRIDE];
    __shared__ __align__(16) u16 weight_tile[LINEAR_N * LINEAR_STRIDE];
    const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const u32 warp_m = (warp / 4) * 32, warp_n = (warp % 4) * 32;
    const u32 group = lane / 4, member = lane % 4;
    const u32 first_m = blockIdx.y * LINEAR_M, first_n = blockIdx.x * LINEAR_N;
    const uint4 nothing = {0, 0, 0, 0};
    float sums[2][4][4];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) sums[i][j][e] = 0.0f;

    for (u32 depth = 0; depth < k; depth += LINEAR_K) {
        const u32 c = (threadIdx.x % 4) * 8;
#pragma unroll
        for (int part = 0; part < 3; ++part) {
            const u32 r = threadIdx.x / 4 + (part == 2 ? 64 : 0);
            const bool of_x = part == 0;
            const u64 row = (of_x ? first_m : first_n) + r;
            const bool inside = row < (of_x ? m : n) && depth + c < k;
            const u16 *from = (of_x ? x : weights) + row * k + depth + c;
            u16 *to = (of_x ? x_tile : weight_tile) + r * LINEAR_STRIDE + c;
            *reinterpret_cast<uint4 *>(to) =
                inside ? *reinterpret_cast<const uint4 *>(from) : nothing;
        }
        __syncthreads();
#pragma unroll
        for (int step = 0; step < LINEAR_K; step += 16) {
            u32 a[2][4], b[4][2];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u16 *at =
                    &x_tile[(warp_m + i * 16 + group) * LINEAR_STRIDE + step + member * 2];
                a[i][0] = *reinterpret_cast<const u32 *>(at);
                a[i][1] = *reinterpret_cast<const u32 *>(at + 8 * LINEAR_STRIDE);
                a[i][2] = *reinterpret_cast<const u32 *>(at + 8);
                a[i][3] = *reinterpret_cast<const u32 *>(at + 8 * LINEAR_STRIDE + 8);
            }
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const u16 *at =
                    &weight_tile[(warp_n + j * 8 + group) * LINEAR_STRIDE + step + member * 2];
                b[j][0] = *reinterpret_cast<const u32 *>(at);
                b[j][1] = *reinterpret_cast<const u32 *>(at + 8);
            }
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) mma_16(sums[i][j], a[i], b[j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const u32 row = first_m + warp_m + i * 16 + group + (e / 2) * 8;
                const u32 column = first_n + warp_n + j * 8 + member * 2 + e % 2;
                if (row < m && column < n) {
                    const float value = sums[i][j][e] + to_float(bias[column]);
                    out[(u64)row * n + column] = from_float(activated(value, activation));
                }
            }
}
KERNEL(NAME(linear))

// values = act(values), row by row, in place: what a library's product leaves to do. The width is a
// multiple of 8. One warp a row.
extern "C" __global__ void __launch_bounds__(256)
    NAME(activate)(u16 *values, u32 rows, u32 width, u32 activation) {
    const u32 lane = threadIdx.x % 32;
    const u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    u16 *own = values + (u64)row * width;
    for (u32 c = lane * 8; c < width; c += 32 * 8) {
        __align__(16) u16 eight[8];
        *reinterpret_cast<uint4 *>(eight) = *reinterpret_cast<const uint4 *>(own + c);
#pragma unroll
        for (int i = 0; i < 8; ++i) eight[i] = from_float(activated(to_float(eight[i]), activation));
        *reinterpret_cast<uint4 *>(own + c) = *reinterpret_cast<const uint4 *>(eight);
    }
}
KERNEL(NAME(activate))

// Bidirectional attention of each sequence on itself. `qkv` [rows, 3, heads, head_dim]; `out`
// [rows, heads, head_dim]. A block takes one sequence and one head: keys and values stand in dynamic
// shared memory in 16 bits (4 * longest * head_dim bytes, beside 8 rows of `longest` scores), a warp
// takes a query row at a time. head_dim is a multiple of 32 up to 128.
extern "C" __global__ void __launch_bounds__(256)
    NAME(attention_short)(const u16 *qkv, const u32 *starts, u32 heads, u32 head_dim, u32 longest,
                    float scale, u16 *out) {
    DYNAMIC_SHARED(u16, shared);
    const u32 sequence = blockIdx.x, head = blockIdx.y;
    const u32 start = starts[sequence], length = starts[sequence + 1] - start;
    const u32 width = heads * head_dim;
    const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    // Two halves of padding turn the rows so that lanes on neighbouring keys miss each other's bank.
    const u32 stride = head_dim + 2;
    u16 *keys = shared;
    u16 *values = keys + longest * stride;
    float *all_scores = reinterpret_cast<float *>(values + longest * stride);
    float *scores = all_scores + warp * (longest + head_dim);
    float *query = scores + longest;
    for (u32 i = threadIdx.x; i < length * head_dim; i += blockDim.x) {
        const u32 row = i / head_dim, d = i % head_dim;
        const u16 *at = qkv + (u64)(start + row) * 3 * width + head * head_dim + d;
        keys[row * stride + d] = at[width];
        values[row * stride + d] = at[2 * width];
    }
    __syncthreads();
    for (u32 row = warp; row < length; row += blockDim.x / 32) {
        const u16 *at = qkv + (u64)(start + row) * 3 * width + head * head_dim;
        for (u32 d = lane; d < head_dim; d += 32) query[d] = to_float(at[d]) * scale;
        __syncwarp();
        float top = NEGATIVE_INFINITY;
        for (u32 key = lane; key < length; key += 32) {
            float sum = 0.0f;
            for (u32 d = 0; d < head_dim; ++d)
                sum = fmaf(query[d], to_float(keys[key * stride + d]), sum);
            scores[key] = sum;
            top = fmaxf(top, sum);
        }
        top = warp_max(top);
        float total = 0.0f;
        for (u32 key = lane; key < length; key += 32) {
            const float weight = expf(scores[key] - top);
            scores[key] = weight;
            total += weight;
        }
        const float inverse = 1.0f / group_sum(total, 32);
        __syncwarp();
        for (u32 d = lane; d < head_dim; d += 32) {
            float sum = 0.0f;
            for (u32 key = 0; key < length; ++key)
                sum = fmaf(scores[key], to_float(values[key * stride + d]), sum);
            out[(u64)(start + row) * width + head * head_dim + d] = from_float(sum * inverse);
        }
        __syncwarp();
    }
}
KERNEL(NAME(attention_short))

// pooled[s] = mean (`how` 0), first (1) or greatest values (2) of the rows of sequence s, scaled to
// length 1 (zeros stay zeros; so does a sequence without rows). One block a sequence; `width` floats
// of dynamic shared memory.
extern "C" __global__ void __launch_bounds__(256)
    NAME(pool_rows)(const u16 *hidden, const u32 *starts, u32 width, u32 how, float *pooled) {
    DYNAMIC_SHARED(float, means);
    const u32 sequence = blockIdx.x;
    const u32 start = starts[sequence], end = starts[sequence + 1];
    const u32 last = how == 1 && end > start ? start + 1 : end;
    for (u32 c = threadIdx.x; c < width; c += blockDim.x) {
        float sum = 0.0f, most = NEGATIVE_INFINITY;
        for (u32 row = start; row < last; ++row) {
            const float value = to_float(hidden[(u64)row * width + c]);
            sum += value;
            most = fmaxf(most, value);
        }
        const float value = how == 2 ? most : sum / (float)(last - start);
        means[c] = end > start ? value : 0.0f;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        float square = 0.0f;
        for (u32 c = threadIdx.x; c < width; c += 32) square = fmaf(means[c], means[c], square);
        square = group_sum(square, 32);
        const float inverse = square > 0.0f ? 1.0f / sqrtf(square) : 0.0f;
        for (u32 c = threadIdx.x; c < width; c += 32)
            pooled[(u64)sequence * width + c] = means[c] * inverse;
    }
}
KERNEL(NAME(pool_rows))

// first[s] = the first row of sequence s (zeros where it is empty): what classifiers read. One block
// a sequence.
extern "C" __global__ void __launch_bounds__(256)
    NAME(first_rows)(const u16 *hidden, const u32 *starts, u32 width, u16 *first) {
    const u32 sequence = blockIdx.x;
    const u32 start = starts[sequence];
    const bool empty = starts[sequence + 1] == start;
    for (u32 c = threadIdx.x; c < width; c += blockDim.x)
        first[(u64)sequence * width + c] = empty ? 0 : hidden[(u64)start * width + c];
}
KERNEL(NAME(first_rows))

// scores[r] = x[r] weights + bias[0]: a classifier of one output. One warp a row.
extern "C" __global__ void __launch_bounds__(256)
    NAME(score_rows)(const u16 *x, const u16 *weights, const float *bias, u32 rows, u32 width,
               float *scores) {
    const u32 lane = threadIdx.x % 32;
    const u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    float sum = 0.0f;
    for (u32 c = lane; c < width; c += 32)
        sum = fmaf(to_float(x[(u64)row * width + c]), to_float(weights[c]), sum);
    sum = group_sum(sum, 32);
    if (lane == 0) scores[row] = sum + bias[0];
}
KERNEL(NAME(score_rows))
