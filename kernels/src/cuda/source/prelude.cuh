// Stands before every kernel source. NVRTC reads it without any include path; the host shim
// (`tests/cuda_shim/shim.hpp`) defines INDAGO_HOST and the few device intrinsics used here, so that
// the same source also runs on a CPU, thread by thread.

typedef unsigned char u8;
typedef signed char i8;
typedef short i16;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

#define FULL_WARP 0xffffffffu

#ifndef INDAGO_HOST
// Lists the kernel for the shim; the device finds it by name.
#define KERNEL(name)
// A pointer to the block's dynamic shared memory, 16-byte aligned.
#define DYNAMIC_SHARED(type, name)                                  \
    extern __shared__ __align__(16) unsigned char indago_shared_[]; \
    type *name = reinterpret_cast<type *>(indago_shared_)

__device__ __forceinline__ float half_to_float(u16 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

__device__ __forceinline__ u16 float_to_half(float value) {
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

// D[16,8] += A[16,16] B[16,8] over a warp; fragments laid out as PTX ISA, "mma.m16n8k16", f16.
__device__ __forceinline__ void mma_m16n8k16(float d[4], const u32 a[4], const u32 b[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same of bf16.
__device__ __forceinline__ void mma_m16n8k16_bf16(float d[4], const u32 a[4], const u32 b[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

#define NEGATIVE_INFINITY __int_as_float(0xff800000)

// Sum over groups of `width` neighbouring lanes (a power of two); every lane gets it.
__device__ __forceinline__ float group_sum(float x, u32 width) {
    for (u32 offset = width / 2; offset > 0; offset /= 2)
        x += __shfl_xor_sync(FULL_WARP, x, offset);
    return x;
}

__device__ __forceinline__ i32 group_sum(i32 x, u32 width) {
    for (u32 offset = width / 2; offset > 0; offset /= 2)
        x += __shfl_xor_sync(FULL_WARP, x, offset);
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
    for (u32 offset = 16; offset > 0; offset /= 2)
        x = fmaxf(x, __shfl_xor_sync(FULL_WARP, x, offset));
    return x;
}
