// The encoder in IEEE 754 binary16: 11 bits of mantissa, values below 65,520.

#define NAME(kernel) kernel##_f16
#define to_float half_to_float
#define from_float float_to_half
#define mma_16 mma_m16n8k16

