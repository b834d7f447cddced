// Stands in for libcublasLt.so.13: products on the CPU with the semantics that the manual documents
// (column-major matrices, leading dimensions, transposes, a bias along the rows of the result). It
// checks what the library may assume: that descriptors are complete and fit each other, that an
// algorithm belongs to the product and the work space it was found for, that the work space is as large
// as that algorithm needs, and, beside the stand-in driver, that every matrix lies in device memory.
// Where an algorithm may add parts of a sum in the output's type, it does: rounding shows that.
//
// The environment sets it up: STAND_IN_LT_VERSION (130002), STAND_IN_LT_ALGORITHMS (1; 0: none is
// found), STAND_IN_LT_FAILS ("function=status": that function gives this status, from its second call
// on with "function+=status").
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace {
enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, N = 0, T = 1, EPILOGUE_BIAS = 4 };
const uint64_t MAGIC = 0x1d462a95c0b7e813ull;
const size_t SPACE_NEEDED = 1 << 20;

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t leading;
};
struct Product {
    int compute, scale;
    int transposed[2] = {N, N};
    int epilogue = 1;
    uint64_t bias = 0;
};
struct Preference {
    uint64_t space = 0;
    uint32_t reductions = 7;
};
struct Heuristic {
    uint64_t algorithm[8];
    size_t space;
    int state;
    float waves;
    int reserved[4];
};
std::recursive_mutex lock;  // two devices have two threads
std::set<void *> handles;
std::set<void *> alive;
std::map<std::string, int> calls;

int complain(const char *what) {
    fprintf(stderr, "stand-in cuBLASLt: %s\n", what);
    return INVALID_VALUE;
}

// The status that the environment wants of a function.
int wanted(const char *function) {
    const int call = ++calls[function];
    const char *setting = getenv("STAND_IN_LT_FAILS");
    if (!setting) return SUCCESS;
    const std::string text = setting;
    const size_t equals = text.find('=');
    std::string name = text.substr(0, equals);
    const bool later = !name.empty() && name.back() == '+';
    if (later) name.pop_back();
    return name == function && (!later || call > 1) ? atoi(text.c_str() + equals + 1) : SUCCESS;
}

float from_half(uint16_t bits) {
    const unsigned exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float size = exponent ? std::ldexp(float(1024 + mantissa), int(exponent) - 25)
                          : std::ldexp(float(mantissa), -24);
    if (exponent == 31) size = mantissa ? NAN : INFINITY;
    return bits & 0x8000 ? -size : size;
}
uint16_t to_half(float x) {
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const float size = std::fabs(x);
    if (size != size) return sign | 0x7e00;
    if (size >= 65520.0f) return sign | 0x7c00;
    if (size < std::ldexp(1.0f, -14)) return sign | uint16_t(std::nearbyint(std::ldexp(size, 24)));
    int exponent;
    std::frexp(size, &exponent);
    const int mantissa = int(std::nearbyint(std::ldexp(size, 11 - exponent)));
    return sign | uint16_t((exponent + 14) * 1024 + mantissa - 1024);
}
// Values of all bits of a type.
const float *table(int type) {
    static const auto fill = [](int type) {
        float *all = new float[65536];
        for (unsigned bits = 0; bits < 65536; ++bits) {
            const uint32_t wide = bits << 16;
            if (type == R_16F) all[bits] = from_half(uint16_t(bits));
            else memcpy(&all[bits], &wide, 4);
        }
        return all;
    };
    static const float *half = fill(R_16F), *brain = fill(R_16BF);
    return type == R_16F ? half : brain;
}
float load(int type, uint16_t bits) { return table(type)[bits]; }
uint16_t store(int type, float x) {
    if (type == R_16F) return to_half(x);
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (x != x) return uint16_t(bits >> 16 | 0x40);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Whether the stand-in driver, where it is, knows these bytes as device memory.
bool on_device(const void *at, size_t bytes) {
    using Inside = int (*)(uint64_t, size_t);
    static const Inside inside = [] {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        return driver ? reinterpret_cast<Inside>(dlsym(driver, "stand_in_inside")) : nullptr;
    }();
    return !inside || inside(reinterpret_cast<uint64_t>(at), bytes);
}
bool aligned(const void *at, size_t bytes) { return reinterpret_cast<uint64_t>(at) % bytes == 0; }

// The part of an algorithm that says what it was found for.
uint64_t product_key(const Product &p, const Layout &a, const Layout &b, const Layout &d) {
    uint64_t key = MAGIC;
    for (uint64_t x : {uint64_t(p.compute), uint64_t(p.transposed[0]), uint64_t(p.transposed[1]),
                       uint64_t(p.epilogue), uint64_t(a.type), a.rows, a.columns,
                       uint64_t(a.leading), b.rows, b.columns, uint64_t(b.leading), d.rows,
                       d.columns, uint64_t(d.leading)})
        key = (key ^ x) * 0x100000001b3ull;
    return key;
}

// What is wrong with a product's descriptors.
const char *wrong(const Product &p, const Layout &a, const Layout &b, const Layout &c,
                  const Layout &d) {
    if (p.compute != COMPUTE_32F || p.scale != R_32F) return "sums or scale are not in 32 bits";
    if (a.type != b.type || a.type != d.type || c.type != d.type) return "mixed types";
    if (a.type != R_16F && a.type != R_16BF) return "a type that is not 16 bits";
    for (const Layout *layout : {&a, &b, &c, &d})
        if (layout->leading < int64_t(layout->rows)) return "a leading dimension below the rows";
    const bool ta = p.transposed[0] == T, tb = p.transposed[1] == T;
    const uint64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns;
    const uint64_t n = tb ? b.rows : b.columns, kb = tb ? b.columns : b.rows;
    if (k != kb) return "factors that do not fit each other";
    if (d.rows != m || d.columns != n) return "an output of another shape";
    if (c.rows != d.rows || c.columns != d.columns) return "C and D differ in shape";
    if (p.epilogue != 1 && p.epilogue != EPILOGUE_BIAS) return "an epilogue that is not known";
    return nullptr;
}

template <class Object>
Object *known(void *object) {
    return alive.count(object) ? static_cast<Object *>(object) : nullptr;
}
template <class Object>
int make(void **out, Object *object) {
    alive.insert(object);
    *out = object;
    return SUCCESS;
}
template <class Object>
int unmake(void *object) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!alive.erase(object)) return complain("destroyed twice, or never made");
    delete static_cast<Object *>(object);
    return SUCCESS;
}
}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))
#define API EXPORT int
#define LOCKED std::lock_guard<std::recursive_mutex> guard(lock)
#define FAIL_IF_WANTED(name) \
    LOCKED;                  \
    if (int status = wanted(name)) return status

EXPORT size_t cublasLtGetVersion() {
    const char *version = getenv("STAND_IN_LT_VERSION");
    return version ? size_t(atol(version)) : 130002;
}
#ifndef WITHOUT_CREATE
API cublasLtCreate(void **out) {
    FAIL_IF_WANTED("cublasLtCreate");
    *out = malloc(1);
    handles.insert(*out);
    return SUCCESS;
}
#endif
API cublasLtDestroy(void *given) {
    LOCKED;
    if (!handles.erase(given)) return NOT_INITIALIZED;
    free(given);
    if (handles.empty() && !alive.empty()) {
        fprintf(stderr, "stand-in cuBLASLt: %zu descriptors outlive the last handle\n", alive.size());
        abort();
    }
    return SUCCESS;
}
API cublasLtMatmulDescCreate(void **out, int compute, int scale) {
    FAIL_IF_WANTED("cublasLtMatmulDescCreate");
    Product *product = new Product;
    product->compute = compute;
    product->scale = scale;
    return make(out, product);
}
API cublasLtMatmulDescDestroy(void *product) { return unmake<Product>(product); }
API cublasLtMatmulDescSetAttribute(void *given, int attribute, const void *at, size_t bytes) {
    FAIL_IF_WANTED("cublasLtMatmulDescSetAttribute");
    Product *product = known<Product>(given);
    if (!product) return complain("no such product");
    if (bytes != (attribute == 8 ? 8u : 4u)) return complain("an attribute of another size");
    switch (attribute) {
        case 3: memcpy(&product->transposed[0], at, 4); return SUCCESS;
        case 4: memcpy(&product->transposed[1], at, 4); return SUCCESS;
        case 7: memcpy(&product->epilogue, at, 4); return SUCCESS;
        case 8: memcpy(&product->bias, at, 8); return SUCCESS;
        default: return complain("an attribute that is not known");
    }
}
API cublasLtMatrixLayoutCreate(void **out, int type, uint64_t rows, uint64_t columns,
                               int64_t leading) {
    FAIL_IF_WANTED("cublasLtMatrixLayoutCreate");
    if (rows == 0 || columns == 0) return complain("a matrix without values");
    return make(out, new Layout{type, rows, columns, leading});
}
API cublasLtMatrixLayoutDestroy(void *layout) { return unmake<Layout>(layout); }
API cublasLtMatmulPreferenceCreate(void **out) {
    FAIL_IF_WANTED("cublasLtMatmulPreferenceCreate");
    return make(out, new Preference);
}
API cublasLtMatmulPreferenceDestroy(void *preference) { return unmake<Preference>(preference); }
API cublasLtMatmulPreferenceSetAttribute(void *given, int attribute, const void *at, size_t bytes) {
    LOCKED;
    Preference *preference = known<Preference>(given);
    if (!preference) return complain("no such preference");
    if (attribute == 1 && bytes == 8) {
        memcpy(&preference->space, at, 8);
        return SUCCESS;
    }
    if (attribute == 3 && bytes == 4) {
        memcpy(&preference->reductions, at, 4);
        return SUCCESS;
    }
    return complain("a preference that is not known, or of another size");
}
API cublasLtMatmulAlgoGetHeuristic(void *given, void *product, void *a, void *b, void *c, void *d,
                                   void *given_preference, int most, Heuristic *out, int *n) {
    FAIL_IF_WANTED("cublasLtMatmulAlgoGetHeuristic");
    *n = 0;
    const Product *p = known<Product>(product);
    const Layout *la = known<Layout>(a), *lb = known<Layout>(b), *lc = known<Layout>(c),
                 *ld = known<Layout>(d);
    const Preference *preference = known<Preference>(given_preference);
    if (!handles.count(given)) return NOT_INITIALIZED;
    if (!p || !la || !lb || !lc || !ld || !preference || most < 1)
        return complain("a descriptor that is not alive");
    if (const char *what = wrong(*p, *la, *lb, *lc, *ld)) return complain(what);
    const char *algorithms = getenv("STAND_IN_LT_ALGORITHMS");
    if (algorithms && atoi(algorithms) == 0) return NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    out->algorithm[0] = product_key(*p, *la, *lb, *ld);
    // Parts of the sum are added in the output's type where that is allowed, and need space for them
    // where it is not; without the space there is one part.
    out->algorithm[1] = preference->reductions & 5 ? 2 : preference->space >= SPACE_NEEDED ? 1 : 0;
    out->space = out->algorithm[1] == 1 ? SPACE_NEEDED : 0;
    out->state = SUCCESS;
    *n = 1;
    return SUCCESS;
}
API cublasLtMatmul(void *given, void *product, const float *alpha, const uint16_t *a, void *a_layout,
                   const uint16_t *b, void *b_layout, const float *beta, const uint16_t *c,
                   void *c_layout, uint16_t *d, void *d_layout, const uint64_t *algorithm, void *space,
                   size_t space_bytes, void *) {
    FAIL_IF_WANTED("cublasLtMatmul");
    const Product *p = known<Product>(product);
    const Layout *la = known<Layout>(a_layout), *lb = known<Layout>(b_layout),
                 *lc = known<Layout>(c_layout), *ld = known<Layout>(d_layout);
    if (!handles.count(given)) return NOT_INITIALIZED;
    if (!p || !la || !lb || !lc || !ld) return complain("a descriptor that is not alive");
    if (const char *what = wrong(*p, *la, *lb, *lc, *ld)) return complain(what);
    if (!algorithm || algorithm[0] != product_key(*p, *la, *lb, *ld))
        return complain("an algorithm that was found for another product");
    if (algorithm[1] == 1 && (space_bytes < SPACE_NEEDED || !on_device(space, SPACE_NEEDED)))
        return complain("less work space than the algorithm needs");
    if (space_bytes && !on_device(space, space_bytes)) return complain("a work space that is not there");
    const auto bytes = [](const Layout &l) { return ((l.columns - 1) * l.leading + l.rows) * 2; };
    if (!on_device(a, bytes(*la)) || !on_device(b, bytes(*lb)) || !on_device(d, bytes(*ld)))
        return complain("a matrix that is not in device memory");
    if (!aligned(a, 16) || !aligned(b, 16) || !aligned(d, 16) || !aligned(space, 16))
        return complain("memory that is not aligned to 16 bytes");
    const uint16_t *bias = reinterpret_cast<const uint16_t *>(p->bias);
    if (p->epilogue == EPILOGUE_BIAS && (!bias || !on_device(bias, ld->rows * 2)))
        return complain("a bias that is not in device memory");
    const bool ta = p->transposed[0] == T, tb = p->transposed[1] == T;
    const uint64_t depth = ta ? la->rows : la->columns;
    const float *value = table(la->type);
    const uint64_t a_step = ta ? 1 : la->leading, b_step = tb ? lb->leading : 1;
    for (uint64_t column = 0; column < ld->columns; ++column)
        for (uint64_t row = 0; row < ld->rows; ++row) {
            const uint16_t *x = a + (ta ? row * la->leading : row);
            const uint16_t *y = b + (tb ? column : column * lb->leading);
            float sum = 0.0f;
            for (uint64_t i = 0; i < depth; ++i) {
                sum += value[x[i * a_step]] * value[y[i * b_step]];
                if (algorithm[1] == 2) sum = load(ld->type, store(ld->type, sum));
            }
            sum *= *alpha;
            // With a beta of 0, C is not read.
            if (*beta != 0.0f) sum += *beta * load(lc->type, c[column * lc->leading + row]);
            if (p->epilogue == EPILOGUE_BIAS) sum += load(ld->type, bias[row]);
            d[column * ld->leading + row] = store(ld->type, sum);
        }
    return SUCCESS;
}
