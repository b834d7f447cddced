// Exact search over all rows, fused with the choice of the best k.
//
// A scan never writes its scores. Each query has a list of candidates and a bar: the key of the
// worst of the best k so far. A row above the bar is appended; `select_top` sorts the list, cuts it
// to k and raises the bar. The host scans in chunks that grow fourfold, so that a chunk of rows in
// random order adds about 3k candidates; a chunk that overflows the list (rows in ascending order
// of score do) is scanned again in halves, down to a length that always fits. The answer depends
// neither on the chunks nor on the order in which threads append, because keys are totally ordered.
//
// Bytes moved: every row once per call of at most 8 queries (64 with the matrix units).

// (score descending, row ascending) as one number; greater is better, 0 is worse than any row.
// A score that is no number counts as minus infinity; the two zeros are one.
__device__ __forceinline__ u64 key_of(float score, u32 row) {
    if (!(score == score)) score = NEGATIVE_INFINITY;
    if (score == 0.0f) score = 0.0f;
    u32 bits = __float_as_uint(score);
    bits = (bits & 0x80000000u) ? ~bits : (bits | 0x80000000u);
    return ((u64)bits << 32) | (u64)(0xffffffffu - row);
}

// Candidates of all queries: `keys[q * capacity + i]` for i < min(counts[q], capacity). A count
// above the capacity says that the chunk has to be scanned again.
struct Candidates {
    u64 *keys;
    u32 *counts;
    const u64 *bars;
    u32 capacity;
};

__device__ __forceinline__ void offer(const Candidates &best, u32 query, float score, u32 row) {
    const u64 key = key_of(score, row);
    if (key > best.bars[query]) {
        const u32 place = atomicAdd(&best.counts[query], 1u);
        if (place < best.capacity) best.keys[(u64)query * best.capacity + place] = key;
    }
}

// Whether the filter (bit r of word r / 32; null for none) lets `row` through.
__device__ __forceinline__ bool allowed(const u32 *filter, u32 row) {
    return filter == nullptr || (filter[row / 32] >> (row % 32) & 1u);
}

// What the four element types do with 16 bytes of a row.
struct ElementF32 {
    typedef float Sum;
    typedef float Query;
    static const u32 PER_LOAD = 4;
    static __device__ __forceinline__ float add(const uint4 &x, const float *q, float sum) {
        sum = fmaf(__uint_as_float(x.x), q[0], sum);
        sum = fmaf(__uint_as_float(x.y), q[1], sum);
        sum = fmaf(__uint_as_float(x.z), q[2], sum);
        return fmaf(__uint_as_float(x.w), q[3], sum);
    }
    static __device__ __forceinline__ float score(float sum, float, float, u32) { return sum; }
};

struct ElementF16 {
    typedef float Sum;
    typedef float Query;
    static const u32 PER_LOAD = 8;
    static __device__ __forceinline__ float pair(u32 x, const float *q, float sum) {
        sum = fmaf(half_to_float((u16)(x & 0xffffu)), q[0], sum);
        return fmaf(half_to_float((u16)(x >> 16)), q[1], sum);
    }
    static __device__ __forceinline__ float add(const uint4 &x, const float *q, float sum) {
        sum = pair(x.x, q + 0, sum);
        sum = pair(x.y, q + 2, sum);
        sum = pair(x.z, q + 4, sum);
        return pair(x.w, q + 6, sum);
    }
    static __device__ __forceinline__ float score(float sum, float, float, u32) { return sum; }
};

// Codes of 8 bits against a query of 16: exact, because the host bounds the query's codes so that
// no sum passes 2^31.
struct ElementI8 {
    typedef i32 Sum;
    typedef i16 Query;
    static const u32 PER_LOAD = 16;
    static __device__ __forceinline__ i32 quad(u32 x, const i32 *q, i32 sum) {
        sum = __dp2a_lo(q[0], (i32)x, sum);
        return __dp2a_hi(q[1], (i32)x, sum);
    }
    static __device__ __forceinline__ i32 add(const uint4 &x, const i16 *query, i32 sum) {
        const i32 *q = reinterpret_cast<const i32 *>(query);
        sum = quad(x.x, q + 0, sum);
        sum = quad(x.y, q + 2, sum);
        sum = quad(x.z, q + 4, sum);
        return quad(x.w, q + 6, sum);
    }
    // The same two roundings as on the CPU.
    static __device__ __forceinline__ float score(i32 sum, float row, float query, u32) {
        return __fmul_rn(__int2float_rn(sum), __fmul_rn(row, query));
    }
};

// Sign bits: the dot product of two rows of plus and minus ones.
struct ElementBinary {
    typedef i32 Sum;
    typedef u32 Query;
    static const u32 PER_LOAD = 4;  // words of 32 bits
    static __device__ __forceinline__ i32 add(const uint4 &x, const u32 *q, i32 sum) {
        return sum + __popc(x.x ^ q[0]) + __popc(x.y ^ q[1]) + __popc(x.z ^ q[2]) +
               __popc(x.w ^ q[3]);
    }
    static __device__ __forceinline__ float score(i32 differ, float, float, u32 dim) {
        return __int2float_rn((i32)dim - 2 * differ);
    }
};

// Rows one group of lanes has in flight.
#define ROWS_IN_FLIGHT 4

// Scores rows first..end against QUERIES queries. `width` elements a row, a multiple of
// PER_LOAD (the host pads rows with zeros); `dim` is the length before padding. Groups of `lanes`
// lanes (a power of two up to 32) share a row, and take ROWS_IN_FLIGHT neighbouring rows at once.
template <class E, int QUERIES>
__device__ __forceinline__ void scan_rows(const uint4 *rows, const float *row_scales,
                                          const typename E::Query *queries,
                                          const float *query_scales, u32 width, u32 dim, u32 lanes,
                                          u32 first, u32 end, const u32 *filter, Candidates best) {
    DYNAMIC_SHARED(typename E::Query, shared);
    for (u32 i = threadIdx.x; i < QUERIES * width; i += blockDim.x) shared[i] = queries[i];
    __syncthreads();

    const u32 loads = width / E::PER_LOAD;
    const u32 lane = threadIdx.x % lanes;
    const u32 groups = gridDim.x * (blockDim.x / lanes);
    const u32 group = blockIdx.x * (blockDim.x / lanes) + threadIdx.x / lanes;
    const u32 batches = (end - first + ROWS_IN_FLIGHT - 1) / ROWS_IN_FLIGHT;
    // Every lane of a warp runs every round, since they exchange sums.
    const u32 rounds = (batches + groups - 1) / groups;
    for (u32 round = 0; round < rounds; ++round) {
        const u64 batch = (u64)round * groups + group;
        const u64 base = (u64)first + batch * ROWS_IN_FLIGHT;
        typename E::Sum sums[ROWS_IN_FLIGHT][QUERIES];
#pragma unroll
        for (int r = 0; r < ROWS_IN_FLIGHT; ++r)
#pragma unroll
            for (int q = 0; q < QUERIES; ++q) sums[r][q] = 0;
        for (u32 at = lane; at < loads; at += lanes) {
            uint4 x[ROWS_IN_FLIGHT];
#pragma unroll
            for (int r = 0; r < ROWS_IN_FLIGHT; ++r)
                if (base + r < end) x[r] = __ldcs(&rows[(base + r) * loads + at]);
#pragma unroll
            for (int r = 0; r < ROWS_IN_FLIGHT; ++r)
                if (base + r < end)
#pragma unroll
                    for (int q = 0; q < QUERIES; ++q)
                        sums[r][q] =
                            E::add(x[r], &shared[q * width + at * E::PER_LOAD], sums[r][q]);
        }
#pragma unroll
        for (int r = 0; r < ROWS_IN_FLIGHT; ++r)
#pragma unroll
            for (int q = 0; q < QUERIES; ++q) {
                const typename E::Sum sum = group_sum(sums[r][q], lanes);
                const u64 row = base + r;
                if (lane == 0 && row < end && allowed(filter, (u32)row)) {
                    const float row_scale = row_scales ? row_scales[row] : 1.0f;
                    const float query_scale = query_scales ? query_scales[q] : 1.0f;
                    offer(best, q, E::score(sum, row_scale, query_scale, dim), (u32)row);
                }
            }
    }
}

#define SCAN(name, element, count)                                                                \
    extern "C" __global__ void __launch_bounds__(256)                                             \
        name(const uint4 *rows, const float *row_scales, const element::Query *queries,           \
             const float *query_scales, u32 width, u32 dim, u32 lanes, u32 first, u32 end,        \
             const u32 *filter, u64 *keys, u32 *counts, const u64 *bars, u32 capacity) {          \
        const Candidates best = {keys, counts, bars, capacity};                                   \
        scan_rows<element, count>(rows, row_scales, queries, query_scales, width, dim, lanes,     \
                                  first, end, filter, best);                                      \
    }                                                                                             \
    KERNEL(name)

SCAN(scan_f32_1, ElementF32, 1)
SCAN(scan_f32_4, ElementF32, 4)
SCAN(scan_f16_1, ElementF16, 1)
SCAN(scan_f16_4, ElementF16, 4)
SCAN(scan_i8_1, ElementI8, 1)
SCAN(scan_i8_4, ElementI8, 4)
SCAN(scan_binary_1, ElementBinary, 1)
SCAN(scan_binary_4, ElementBinary, 4)

// Sorts the candidates of query blockIdx.x, best first, cuts them to k and raises the bar to the
// worst of k. `padded` is a power of two of at least the capacity; that many keys of dynamic shared
// memory. A list that overflowed is left for the host, which sees its count.
extern "C" __global__ void __launch_bounds__(1024)
    select_top(u64 *keys, u32 *counts, u64 *bars, u32 capacity, u32 padded, u32 k) {
    DYNAMIC_SHARED(u64, sorted);
    const u32 query = blockIdx.x;
    const u32 count = counts[query];
    if (count > capacity) return;
    u64 *list = keys + (u64)query * capacity;
    u32 length = 1;
    while (length < count) length *= 2;
    for (u32 i = threadIdx.x; i < length; i += blockDim.x) sorted[i] = i < count ? list[i] : 0;
    __syncthreads();
    for (u32 size = 2; size <= length; size *= 2)
        for (u32 stride = size / 2; stride > 0; stride /= 2) {
            for (u32 i = threadIdx.x; i < length / 2; i += blockDim.x) {
                const u32 low = 2 * i - (i & (stride - 1));
                const u32 high = low + stride;
                const bool descending = (low & size) == 0;
                const u64 a = sorted[low], b = sorted[high];
                if ((a < b) == descending) {
                    sorted[low] = b;
                    sorted[high] = a;
                }
            }
            __syncthreads();
        }
    const u32 kept = count < k ? count : k;
    for (u32 i = threadIdx.x; i < kept; i += blockDim.x) list[i] = sorted[i];
    if (threadIdx.x == 0) {
        counts[query] = kept;
        if (kept == k && k > 0) bars[query] = sorted[k - 1];
    }
}
KERNEL(select_top)
