/* A disk that fails on demand, for LD_PRELOAD: write, pwrite, ftruncate, fsync and fdatasync on files whose path
 * contains DISK_FILES are counted; from the environment:
 *
 *   DISK_COUNT   a file that grows by one byte with every counted call
 *   DISK_AT      the call, from 1, at which it happens
 *   DISK_FAULT   eio | enospc   that call fails (DISK_STAYS=1: and every later one)
 *                torn           a write is done by half, then fails with ENOSPC
 *                power          what no fsync has covered is taken back, and the process is gone
 *   DISK_LIES=1  fsync covers nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a write or truncation replaced: enough to take it back. */
struct before {
    struct before *next;
    char path[512];
    off_t size, at;
    size_t length;
    char bytes[];
};

static struct before *uncovered;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls, fault_at;
static int count_fd = -1, stays, lies;
static const char *files, *fault;

__attribute__((constructor)) static void start(void) {
    const char *at = getenv("DISK_AT"), *count = getenv("DISK_COUNT");
    files = getenv("DISK_FILES");
    fault = getenv("DISK_FAULT");
    fault_at = at ? atol(at) : 0;
    stays = getenv("DISK_STAYS") != NULL;
    lies = getenv("DISK_LIES") != NULL;
    if (count) count_fd = syscall(SYS_openat, AT_FDCWD, count, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
}

static int watched(int fd, char *path, size_t size) {
    char link[64];
    if (!files) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, files) != NULL;
}

static void remember(int fd, const char *path, off_t at, size_t length) {
    struct stat stat;
    struct before *entry = malloc(sizeof *entry + length);
    if (!entry || fstat(fd, &stat)) abort();
    snprintf(entry->path, sizeof entry->path, "%s", path);
    entry->size = stat.st_size;
    entry->at = at;
    /* The descriptor may be for writing only, or appending: read through one of our own. */
    int reader = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t got = reader < 0 ? 0 : pread(reader, entry->bytes, length, at);
    if (reader >= 0) close(reader);
    entry->length = got < 0 ? 0 : (size_t)got;
    entry->next = uncovered;
    uncovered = entry;
}

static void cover(const char *path) {
    for (struct before **at = &uncovered; *at;) {
        struct before *entry = *at;
        if (strcmp(entry->path, path) == 0) {
            *at = entry->next;
            free(entry);
        } else {
            at = &entry->next;
        }
    }
}

static void power_off(void) {
    for (struct before *entry = uncovered; entry; entry = entry->next) {
        int fd = syscall(SYS_openat, AT_FDCWD, entry->path, O_WRONLY | O_CLOEXEC, 0);
        if (fd < 0) continue;
        if (entry->length) syscall(SYS_pwrite64, fd, entry->bytes, entry->length, entry->at);
        syscall(SYS_ftruncate, fd, entry->size);
        close(fd);
    }
    syscall(SYS_exit_group, 137);
}

/* Whether this call fails, with errno set; torn writes are done by half here. */
static int fails(int fd, const void *bytes, size_t length, off_t at) {
    calls++;
    if (count_fd >= 0) syscall(SYS_write, count_fd, ".", 1);
    if (!fault || !fault_at || calls < fault_at || (calls > fault_at && !stays)) return 0;
    if (strcmp(fault, "power") == 0) power_off();
    if (strcmp(fault, "torn") == 0 && bytes) syscall(SYS_pwrite64, fd, bytes, length / 2, at);
    errno = strcmp(fault, "eio") == 0 ? EIO : ENOSPC;
    return 1;
}

static ssize_t guarded_write(int fd, const void *bytes, size_t length, off_t at, int positioned) {
    char path[512];
    if (!watched(fd, path, sizeof path))
        return positioned ? syscall(SYS_pwrite64, fd, bytes, length, at) : syscall(SYS_write, fd, bytes, length);
    pthread_mutex_lock(&lock);
    if (!positioned) at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    if (!fails(fd, bytes, length, at)) {
        remember(fd, path, at, length);
        done = positioned ? syscall(SYS_pwrite64, fd, bytes, length, at) : syscall(SYS_write, fd, bytes, length);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return guarded_write(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return guarded_write(fd, bytes, length, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return guarded_write(fd, bytes, length, at, 1); }

static int guarded_truncate(int fd, off_t size) {
    char path[512];
    if (!watched(fd, path, sizeof path)) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int done = -1;
    if (!fails(fd, NULL, 0, 0)) {
        struct stat stat;
        if (fstat(fd, &stat)) abort();
        remember(fd, path, size, stat.st_size > size ? (size_t)(stat.st_size - size) : 0);
        done = syscall(SYS_ftruncate, fd, size);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return guarded_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return guarded_truncate(fd, size); }

static int guarded_sync(int fd, long number) {
    char path[512];
    if (!watched(fd, path, sizeof path)) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int done = -1;
    if (!fails(fd, NULL, 0, 0)) {
        done = syscall(number, fd);
        if (done == 0 && !lies) cover(path);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return guarded_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return guarded_sync(fd, SYS_fdatasync); }
