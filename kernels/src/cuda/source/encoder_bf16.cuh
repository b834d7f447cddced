// The encoder in bfloat16: the range of f32 with 8 bits of mantissa, for models whose values f16 does
// not hold.

#define NAME(kernel) kernel##_bf16
#define mma_16 mma_m16n8k16_bf16

__device__ __forceinline__ float to_float(u16 bits) { return __uint_as_float((u32)bits << 16); }

// To the nearest, ties to even; what is no number stays none.
__device__ __forceinline__ u16 from_float(float value) {
    const u32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)(bits >> 16 | 0x40u);
    return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

