// The report of the test programs: each check that fails, then "N checks, M failed".
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

// Whether calls are checked against the table of reservations.
#if defined(VMEM_DEBUG)
#define IS_DEBUG true
#else
#define IS_DEBUG false
#endif

static int num_checks, num_failed;

static inline void check(bool holds, const char* expression, const char* file, int line) {
    num_checks++;
    if (holds) return;
    num_failed++;
    printf("%s:%d: %s\n", file, line, expression);
}

#define CHECK(expression) check((expression), #expression, __FILE__, __LINE__)

static inline int report(void) {
    printf("%d checks, %d failed\n", num_checks, num_failed);
    return num_failed ? 1 : 0;
}

// For conditions without which later checks would crash: ends the program if it does not hold.
static inline void require(bool holds, const char* expression, const char* file, int line) {
    check(holds, expression, file, line);
    if (!holds) exit(report());
}

#define REQUIRE(expression) require((expression), #expression, __FILE__, __LINE__)

#endif
