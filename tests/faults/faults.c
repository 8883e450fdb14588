/* Loaded into the daemon with LD_PRELOAD: a disk that fails, is read-only or stands still, and a wall clock that steps.
 *
 * What happens is read at each call from a page of memory shared with the harness (library.py has the same struct), the
 * file named by POMBAL_FAULTS. Only files whose name holds "/pombal.db" are touched: the store, and not the simulated
 * network's own side. Without the page nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct page {
    volatile int64_t write_errno;  /* write, pwrite and ftruncate fail with this; 0: they don't */
    volatile int64_t sync_errno;   /* fsync and fdatasync */
    volatile int64_t permille;     /* how many of a thousand such calls */
    volatile int64_t is_stalled;   /* such calls do not return while this is set */
    volatile int64_t clock_ms;     /* added to the wall clock */
    volatile int64_t failed;       /* how many calls have failed so far */
    volatile int64_t stalled;      /* how many stand still now */
};

static struct page nothing;
static struct page *page = &nothing;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POMBAL_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) page = found;
    close(fd);
}

static int is_store(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return strstr(path, "/pombal.db") != NULL;
}

/* Stands still for as long as it is told to; then 0, or -1 with errno set where the call is to fail. */
static int meets(int fd, int64_t error) {
    static unsigned seed = 1;
    if ((!error && !page->is_stalled) || !is_store(fd)) return 0;
    if (page->is_stalled) {
        __atomic_add_fetch(&page->stalled, 1, __ATOMIC_SEQ_CST);
        while (page->is_stalled) usleep(1000);
        __atomic_sub_fetch(&page->stalled, 1, __ATOMIC_SEQ_CST);
    }
    if (!error || rand_r(&seed) % 1000 >= page->permille) return 0;
    __atomic_add_fetch(&page->failed, 1, __ATOMIC_SEQ_CST);
    errno = (int)error;
    return -1;
}

#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    return meets(fd, page->write_errno) ? -1 : next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    NEXT(pwrite);
    return meets(fd, page->write_errno) ? -1 : next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    NEXT(pwrite64);
    return meets(fd, page->write_errno) ? -1 : next(fd, data, size, at);
}

int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    return meets(fd, page->write_errno) ? -1 : next(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    return meets(fd, page->write_errno) ? -1 : next(fd, size);
}

int fsync(int fd) {
    NEXT(fsync);
    return meets(fd, page->sync_errno) ? -1 : next(fd);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    return meets(fd, page->sync_errno) ? -1 : next(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += page->clock_ms / 1000;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
