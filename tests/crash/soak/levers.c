/* Preloaded into a real server: time runs faster by a factor, the clock on the wall jumps, and a sync of a file fails,
 * when the levers say so. They are a small file that the test has mapped too. Nothing of the server is changed for it.
 *
 * The monotonic clock never jumps, as a real one does not; what waits for a time waits a factor less. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct levers {
    int64_t factor;     /* how much faster time runs */
    int64_t begun;      /* the real monotonic clock when that began, in nanoseconds */
    int64_t wall;       /* the clock on the wall then */
    int64_t jump;       /* added to the clock on the wall */
    int64_t fail_syncs; /* how many syncs fail from now on */
    int64_t failed;     /* how many have */
};

#define SECOND 1000000000LL
#define SHORT (20 * 1000000LL) /* shorter waits, such as those for the interpreter's lock, are left alone */

static volatile struct levers *levers;

__attribute__((constructor)) static void reach(void) {
    const char *path = getenv("SOAK_LEVERS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof(struct levers), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) levers = found;
    close(file);
}

static int64_t to_ns(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

static struct timespec of_ns(int64_t ns) {
    struct timespec time = {ns / SECOND, ns % SECOND};
    return time;
}

static int64_t real(clockid_t clock) {
    struct timespec now;
    syscall(SYS_clock_gettime, clock, &now);
    return to_ns(&now);
}

static int64_t monotonic(void) { return levers->begun + (real(CLOCK_MONOTONIC) - levers->begun) * levers->factor; }
static int64_t on_the_wall(void) { return monotonic() - levers->begun + levers->wall + levers->jump; }

static int64_t shorter(int64_t ns) { return ns < SHORT || !levers ? ns : ns / levers->factor; }
static int shorter_ms(int ms) { return ms < 20 || !levers ? ms : (int)((ms + levers->factor - 1) / levers->factor); }

/* A time until which somebody waits, as the real clock has it. */
static struct timespec until(clockid_t clock, const struct timespec *time) {
    int64_t now = clock == CLOCK_REALTIME ? on_the_wall() : monotonic();
    int64_t left = to_ns(time) - now;
    return of_ns(real(clock) + (left > 0 ? shorter(left) : 0));
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (levers && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *now = of_ns(on_the_wall());
    else if (levers && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
                        clock == CLOCK_BOOTTIME)) *now = of_ns(monotonic());
    else return (int)syscall(SYS_clock_gettime, clock, now);
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

int nanosleep(const struct timespec *asked, struct timespec *left) {
    struct timespec real_time = of_ns(shorter(to_ns(asked)));
    return (int)syscall(SYS_nanosleep, &real_time, left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *asked, struct timespec *left) {
    struct timespec real_time = !levers ? *asked
                                : flags & TIMER_ABSTIME ? until(clock, asked)
                                                        : of_ns(shorter(to_ns(asked)));
    return syscall(SYS_clock_nanosleep, clock, flags, &real_time, left) ? errno : 0;
}

int usleep(useconds_t us) {
    struct timespec asked = of_ns(us * 1000LL);
    return nanosleep(&asked, NULL);
}

#define REAL(type, name, version) \
    static type found; \
    if (!found) found = (type)dlvsym(RTLD_NEXT, name, version); \
    if (!found) found = (type)dlsym(RTLD_NEXT, name)

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict time) {
    typedef int (*Wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    REAL(Wait, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!levers) return found(cond, mutex, time);
    /* The condition's own clock is hidden: a machine is not on for years, so a great number is of the wall's. */
    clockid_t clock = to_ns(time) > levers->wall / 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    struct timespec real_time = until(clock, time);
    return found(cond, mutex, &real_time);
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                           const struct timespec *restrict time) {
    typedef int (*Wait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    REAL(Wait, "pthread_cond_clockwait", "GLIBC_2.34");
    struct timespec real_time = levers ? until(clock, time) : *time;
    return found(cond, mutex, clock, &real_time);
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict time) {
    typedef int (*Wait)(sem_t *, clockid_t, const struct timespec *);
    REAL(Wait, "sem_clockwait", "GLIBC_2.34");
    struct timespec real_time = levers ? until(clock, time) : *time;
    return found(sem, clock, &real_time);
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict time) {
    return sem_clockwait(sem, CLOCK_REALTIME, time);
}

int poll(struct pollfd *files, nfds_t count, int ms) {
    typedef int (*Poll)(struct pollfd *, nfds_t, int);
    REAL(Poll, "poll", "GLIBC_2.2.5");
    return found(files, count, shorter_ms(ms));
}

int epoll_wait(int file, struct epoll_event *events, int most, int ms) {
    typedef int (*Wait)(int, struct epoll_event *, int, int);
    REAL(Wait, "epoll_wait", "GLIBC_2.3.2");
    return found(file, events, most, shorter_ms(ms));
}

int epoll_pwait(int file, struct epoll_event *events, int most, int ms, const sigset_t *signals) {
    typedef int (*Wait)(int, struct epoll_event *, int, int, const sigset_t *);
    REAL(Wait, "epoll_pwait", "GLIBC_2.6");
    return found(file, events, most, shorter_ms(ms), signals);
}

int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict bad, struct timeval *restrict time) {
    typedef int (*Select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
    REAL(Select, "select", "GLIBC_2.2.5");
    if (!levers || !time) return found(count, in, out, bad, time);
    int64_t ns = shorter(time->tv_sec * SECOND + time->tv_usec * 1000LL);
    struct timeval real_time = {ns / SECOND, ns % SECOND / 1000};
    return found(count, in, out, bad, &real_time);
}

static int fails(void) {
    if (!levers || levers->fail_syncs <= 0) return 0;
    if (__sync_fetch_and_sub(&levers->fail_syncs, 1) <= 0) return 0;
    __sync_fetch_and_add(&levers->failed, 1);
    errno = EIO;
    return 1;
}

int fsync(int file) { return fails() ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return fails() ? -1 : (int)syscall(SYS_fdatasync, file); }
