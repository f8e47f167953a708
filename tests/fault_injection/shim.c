// A bad disk, for tests: preloaded into a program, it makes the n-th call that writes, makes, moves or removes something
// fail, or kills the program there. Calls on standard input, output and error do not count.
//
//   FAULT_AT     the number of the call, from 1; 0 or absent: none
//   FAULT_KIND   enospc, eio: this call fails        full: no more room from here on, in the middle of a write
//                dead: from this call on all fail    kill: SIGKILL here, a write half done    short: a write half done
//   FAULT_NO_SWAP=1   a file system that cannot swap two folders
//   FAULT_COUNT  a file for the number of calls, written at the end
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { none, enospc, eio, full, dead, killed, half };
static long at;
static enum kind kind;
static atomic_long calls;
static char unsaved[1024];  // by descriptor: written to, and not forced to the disk since

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char* const names[] = {"", "enospc", "eio", "full", "dead", "kill", "short"};
  const char* wanted = getenv("FAULT_KIND");
  at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
  for (int i = 1; wanted && i < 7; ++i)
    if (strcmp(wanted, names[i]) == 0) kind = (enum kind)i;
}

__attribute__((destructor)) static void end(void) {
  const char* path = getenv("FAULT_COUNT");
  char text[32];
  if (!path) return;
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  const int n = snprintf(text, sizeof text, "%ld\n", (long)calls);
  syscall(SYS_write, fd, text, (size_t)n);
  syscall(SYS_close, fd);
}

// What is to become of this call: 0 or an error number. `grows`: it needs room on the disk.
static int fate(int grows) {
  const long n = ++calls;
  if (at == 0 || n < at) return 0;
  if (kind == dead) return EIO;
  if (kind == full) return grows ? ENOSPC : 0;
  if (n > at) return 0;
  if (kind == killed) raise(SIGKILL);
  return kind == enospc ? ENOSPC : kind == eio ? EIO : 0;
}
#define FAIL_OR(grows, call)        \
  do {                              \
    const int code = fate(grows);   \
    if (code) return errno = code, -1; \
    return call;                    \
  } while (0)

ssize_t write(int fd, const void* data, size_t size) {
  if (fd <= 2) return REAL(write)(fd, data, size);
  if (fd < 1024) unsaved[fd] = 1;
  const int here = at != 0 && calls + 1 == at;
  if (here && (kind == killed || kind == half || kind == full) && size > 1) {
    const ssize_t n = REAL(write)(fd, data, size / 2);
    if (kind != killed) return ++calls, n;
  }
  FAIL_OR(1, REAL(write)(fd, data, size));
}

static int opens(int directory, const char* path, int flags, mode_t mode) {
  const int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
  const int code = writes ? fate((flags & O_CREAT) != 0) : 0;
  if (code) return errno = code, -1;
  return (int)syscall(SYS_openat, directory, path, flags, mode);
}
#define MODE                                                           \
  mode_t mode = 0;                                                     \
  if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {                \
    va_list rest;                                                      \
    va_start(rest, flags);                                             \
    mode = va_arg(rest, mode_t);                                       \
    va_end(rest);                                                      \
  }
int open(const char* path, int flags, ...) { MODE return opens(AT_FDCWD, path, flags, mode); }
int open64(const char* path, int flags, ...) { MODE return opens(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char* path, int flags, ...) { MODE return opens(directory, path, flags, mode); }
int openat64(int directory, const char* path, int flags, ...) { MODE return opens(directory, path, flags, mode); }

// A close that fails has closed the file all the same, and lost what was not written yet, as on NFS.
int close(int fd) {
  const int flags = fd > 2 ? fcntl(fd, F_GETFL) : -1;
  const int code = flags != -1 && (flags & O_ACCMODE) != O_RDONLY ? fate(1) : 0;
  struct stat facts;
  const int loses = code && fd < 1024 && unsaved[fd];
  if (fd > 2 && fd < 1024) unsaved[fd] = 0;
  if (loses && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) (void)!REAL(ftruncate)(fd, facts.st_size / 2);
  const int closed = REAL(close)(fd);
  return code ? (errno = code, -1) : closed;
}

int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  if (flags & RENAME_EXCHANGE && getenv("FAULT_NO_SWAP")) return errno = EINVAL, -1;
  FAIL_OR(0, (int)syscall(SYS_renameat2, a, from, b, to, flags));
}
int rename(const char* from, const char* to) { FAIL_OR(0, REAL(rename)(from, to)); }
int mkdir(const char* path, mode_t mode) { FAIL_OR(1, REAL(mkdir)(path, mode)); }
int rmdir(const char* path) { FAIL_OR(0, REAL(rmdir)(path)); }
int unlink(const char* path) { FAIL_OR(0, REAL(unlink)(path)); }
int unlinkat(int directory, const char* path, int flags) { FAIL_OR(0, REAL(unlinkat)(directory, path, flags)); }
int remove(const char* path) { FAIL_OR(0, REAL(remove)(path)); }
int chmod(const char* path, mode_t mode) { FAIL_OR(0, REAL(chmod)(path, mode)); }
static int saved(int fd, int code) {
  if (code == 0 && fd < 1024) unsaved[fd] = 0;
  return code;
}
int fsync(int fd) { FAIL_OR(1, saved(fd, REAL(fsync)(fd))); }
int fdatasync(int fd) { FAIL_OR(1, saved(fd, REAL(fdatasync)(fd))); }
int ftruncate(int fd, off_t size) { FAIL_OR(0, REAL(ftruncate)(fd, size)); }
int ftruncate64(int fd, off64_t size) { FAIL_OR(0, REAL(ftruncate64)(fd, size)); }
