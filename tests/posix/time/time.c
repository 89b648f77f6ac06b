/* clock_gettime(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2). */
#include "../test.h"
#include <sys/time.h>

TEST(clocks_go_forward) {
    struct timespec a, b;
    for (int i = 0; i < 1000; i++) {
        CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0 && clock_gettime(CLOCK_MONOTONIC, &b) == 0);
        CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
        CHECK(a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
    }
    CHECK(clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec > 0);
}
TEST(it_is_later_than_2025) {
    struct timeval tv;
    struct timespec ts;
    CHECK(gettimeofday(&tv, NULL) == 0 && clock_gettime(CLOCK_REALTIME, &ts) == 0);
    CHECK(tv.tv_sec > 1735689600 && labs((long)(time(NULL) - ts.tv_sec)) <= 1 && tv.tv_usec < 1000000);
}
TEST(sleeping_takes_time) {
    struct timespec t = {0, 30000000}, bad = {0, 2000000000};
    long long start = now_ms();
    CHECK(nanosleep(&t, NULL) == 0);
    CHECK(now_ms() - start >= 29);
    FAILS(nanosleep(&bad, NULL), EINVAL);
    start = now_ms();
    CHECK(usleep(20000) == 0);
    CHECK(now_ms() - start >= 19);
    SAME(sleep(0), 0);
}
TEST(sleeping_until) {
    struct timespec t;
    long long start = now_ms();
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += 30000000;
    if (t.tv_nsec >= 1000000000)
        t.tv_sec++, t.tv_nsec -= 1000000000;
    SAME(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
    CHECK(now_ms() - start >= 29);
    SAME(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
    t.tv_nsec = -1;
    SAME(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), EINVAL);
}
TEST(cpu_time_is_not_wall_time) {
    struct timespec a, b, nap = {0, 50000000};
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0 && nanosleep(&nap, NULL) == 0);
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b) == 0);
    CHECK((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec < 40000000);
    volatile unsigned n = 0;
    for (long long start = now_ms(); now_ms() - start < 50;)
        n++;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0);
    CHECK((a.tv_sec - b.tv_sec) * 1000000000LL + a.tv_nsec - b.tv_nsec > 5000000);
}
TEST(calendar) {
    time_t t = 951782400; /* 2000-02-29 00:00:00 UTC */
    struct tm tm;
    char buf[64];
    CHECK(gmtime_r(&t, &tm) && tm.tm_mday == 29 && tm.tm_mon == 1 && tm.tm_wday == 2 && tm.tm_yday == 59);
    SAME(strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm), 19);
    CHECK(strcmp(buf, "2000-02-29 00:00:00") == 0);
    CHECK(timegm(&tm) == t);
}
TESTS = {T(clocks_go_forward), T(it_is_later_than_2025), T(sleeping_takes_time), T(sleeping_until),
         T(cpu_time_is_not_wall_time), T(calendar), END};
