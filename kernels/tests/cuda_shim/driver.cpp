// Stands in for the driver (libcuda.so.1): device memory is host memory, and launches go to the host
// shim's libraries, which lie in the same folder. So the whole way of a program to a device can be
// walked where there is none. It checks what a driver would: that addresses belong to memory that is
// allocated, that memory is freed once, that nothing wrote behind it.
//
// The environment sets it up: STAND_IN_VERSION (13000), STAND_IN_DEVICES (1), STAND_IN_MEMORY (bytes of
// a device), STAND_IN_LAUNCHES (after so many the device is lost for good).
#include <dirent.h>
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {
using Launch = const char *(*)(const char *, const unsigned *, const unsigned *, size_t, void **,
                               unsigned);
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101,
       NOT_FOUND = 500, ILLEGAL_ADDRESS = 700 };
const size_t CANARY_BYTES = 64;
const unsigned char CANARY = 0xa5;

std::recursive_mutex lock;
std::map<uint64_t, size_t> memory;  // by address
size_t used = 0;
bool lost = false;
long launches = 0;

long setting(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}
long devices() { return setting("STAND_IN_DEVICES", 1); }
size_t total() { return size_t(setting("STAND_IN_MEMORY", 1L << 30)); }

const std::vector<Launch> &units() {
    static std::vector<Launch> all;
    if (!all.empty()) return all;
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&units), &info);
    std::string folder = info.dli_fname;
    folder.resize(folder.rfind('/'));
    if (DIR *dir = opendir(folder.c_str())) {
        while (const dirent *entry = readdir(dir)) {
            const std::string name = entry->d_name;
            if (name.size() < 3 || name.substr(name.size() - 3) != ".so") continue;
            if (void *unit = dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL))
                if (void *launch = dlsym(unit, "shim_launch"))
                    all.push_back(reinterpret_cast<Launch>(launch));
        }
        closedir(dir);
    }
    return all;
}

// Whether `bytes` from `address` on are inside one piece of memory.
bool inside(uint64_t address, size_t bytes) {
    auto after = memory.upper_bound(address);
    if (after == memory.begin()) return false;
    --after;
    return address + bytes <= after->first + after->second;
}

int allocate(uint64_t *out, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (lost) return ILLEGAL_ADDRESS;
    if (bytes == 0) return INVALID_VALUE;
    if (used + bytes > total()) return OUT_OF_MEMORY;
    void *at = aligned_alloc(256, (bytes + CANARY_BYTES + 255) / 256 * 256);
    memset(at, 0xcd, bytes);
    memset(static_cast<char *>(at) + bytes, CANARY, CANARY_BYTES);
    *out = reinterpret_cast<uint64_t>(at);
    memory[*out] = bytes;
    used += bytes;
    return OK;
}

int release(uint64_t address) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const auto found = memory.find(address);
    if (found == memory.end()) return INVALID_VALUE;
    const unsigned char *end = reinterpret_cast<unsigned char *>(address) + found->second;
    for (size_t i = 0; i < CANARY_BYTES; ++i)
        if (end[i] != CANARY) {
            fprintf(stderr, "stand-in driver: written %zu bytes past the end\n", i);
            abort();
        }
    used -= found->second;
    memory.erase(found);
    free(reinterpret_cast<void *>(address));
    return OK;
}

int copy(void *to, const void *from, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (lost) return ILLEGAL_ADDRESS;
    memcpy(to, from, bytes);
    return OK;
}
}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int
static int anything;

// For the stand-ins of libraries that work on device memory.
API stand_in_inside(uint64_t address, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    return inside(address, bytes);
}

API cuInit(unsigned) { return devices() > 0 ? OK : NO_DEVICE; }
API cuDriverGetVersion(int *version) {
    *version = int(setting("STAND_IN_VERSION", 13000));
    return OK;
}
// The runtime compiler looks for the driver's private tables. There are none.
API cuGetExportTable(const void **table, const void *) {
    *table = nullptr;
    return NOT_FOUND;
}
API cuGetErrorName(int, const char **name) {
    *name = "STAND_IN_ERROR";
    return OK;
}
API cuGetErrorString(int code, const char **text) {
    *text = code == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "an error";
    return OK;
}
API cuDeviceGetCount(int *count) {
    *count = int(devices());
    return OK;
}
API cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal < devices() ? OK : INVALID_DEVICE;
}
API cuDeviceGetName(char *name, int length, int) {
    snprintf(name, size_t(length), "stand-in");
    return OK;
}
API cuDeviceTotalMem_v2(size_t *bytes, int) {
    *bytes = total();
    return OK;
}
API cuDeviceGetUuid_v2(void *uuid, int) {
    memset(uuid, 0, 16);
    return OK;
}
API cuDeviceGetAttribute(int *value, int attribute, int) {
    switch (attribute) {
        case 16: *value = 1; break;       // multiprocessors
        case 75: *value = 9; break;       // compute capability 9.0
        case 76: *value = 0; break;
        case 97: *value = 232448; break;  // shared memory of a block
        default: *value = 1;
    }
    return OK;
}
API cuDevicePrimaryCtxRetain(void **context, int) {
    *context = &anything;
    return OK;
}
API cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API cuCtxGetCurrent(void **context) {
    *context = &anything;
    return OK;
}
API cuCtxSetCurrent(void *) { return OK; }
API cuCtxSynchronize() { return lost ? ILLEGAL_ADDRESS : OK; }
API cuStreamCreate(void **stream, unsigned) {
    *stream = malloc(1);
    return OK;
}
API cuStreamCreateWithPriority(void **stream, unsigned, int) {
    *stream = malloc(1);
    return OK;
}
API cuStreamDestroy_v2(void *stream) {
    free(stream);
    return OK;
}
API cuStreamSynchronize(void *) { return lost ? ILLEGAL_ADDRESS : OK; }
API cuStreamWaitEvent(void *, void *, unsigned) { return OK; }
API cuEventCreate(void **event, unsigned) {
    *event = malloc(1);
    return OK;
}
API cuEventDestroy_v2(void *event) {
    free(event);
    return OK;
}
API cuEventRecord(void *, void *) { return OK; }
API cuEventSynchronize(void *) { return lost ? ILLEGAL_ADDRESS : OK; }
API cuEventQuery(void *) { return OK; }
API cuDeviceGetDefaultMemPool(void **pool, int) {
    *pool = &anything;
    return OK;
}
API cuMemPoolSetAttribute(void *, int, void *) { return OK; }
API cuMemGetInfo_v2(size_t *free_bytes, size_t *all) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    *free_bytes = total() - used;
    *all = total();
    return lost ? ILLEGAL_ADDRESS : OK;
}
API cuMemAlloc_v2(uint64_t *out, size_t bytes) { return allocate(out, bytes); }
API cuMemAllocAsync(uint64_t *out, size_t bytes, void *) { return allocate(out, bytes); }
API cuMemFree_v2(uint64_t address) { return release(address); }
API cuMemFreeAsync(uint64_t address, void *) { return release(address); }
API cuMemHostAlloc(void **out, size_t bytes, unsigned) {
    *out = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return *out ? OK : OUT_OF_MEMORY;
}
API cuMemFreeHost(void *at) {
    free(at);
    return OK;
}
API cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!inside(to, bytes)) return INVALID_VALUE;
    return copy(reinterpret_cast<void *>(to), from, bytes);
}
API cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!inside(from, bytes)) return INVALID_VALUE;
    return copy(to, reinterpret_cast<void *>(from), bytes);
}
API cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!inside(to, bytes) || !inside(from, bytes)) return INVALID_VALUE;
    return copy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
}
// The code is machine code for a GPU; what runs is the same source, compiled for this CPU.
API cuModuleLoadData(void **module, const void *image) {
    if (memcmp(image, "\177ELF", 4) != 0) return INVALID_VALUE;
    *module = &anything;
    return OK;
}
API cuModuleUnload(void *) { return OK; }
API cuModuleGetFunction(void **function, void *, const char *name) {
    *function = strdup(name);
    return units().empty() ? NOT_FOUND : OK;
}
API cuFuncSetAttribute(void *, int, int value) { return value <= 232448 ? OK : INVALID_VALUE; }
API cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *, void **params, void **) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const long most = setting("STAND_IN_LAUNCHES", -1);
    if (most >= 0 && launches >= most) lost = true;
    ++launches;
    if (lost) return ILLEGAL_ADDRESS;
    const unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    if (gx == 0 || gy == 0 || bx == 0 || bx > 1024) return INVALID_VALUE;
    for (Launch launch : units()) {
        const char *message = launch(static_cast<char *>(function), grid, block, shared, params, 0);
        if (!message) return OK;
        if (strcmp(message, "no kernel of this name") != 0) {
            fprintf(stderr, "stand-in driver: %s\n", message);
            lost = true;
            return ILLEGAL_ADDRESS;
        }
    }
    return NOT_FOUND;
}
