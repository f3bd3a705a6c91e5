// Runs a part of a test program in a child process, where it may fault or use up a limit. POSIX only.
#ifndef CHILD_H
#define CHILD_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

typedef void (*ChildBody)(char* subject);

// Runs `body` in a child process and returns its status, as from waitpid(). With checks that fail it exits with 1.
static inline int run_in_child(ChildBody body, char* subject) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core_file = {0, 0};  // faults are expected here
        setrlimit(RLIMIT_CORE, &no_core_file);
        num_failed = 0;
        body(subject);
        _exit(num_failed ? 1 : 0);
    }
    REQUIRE(child > 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

static inline bool succeeds_in_child(ChildBody body, char* subject) {
    int status = run_in_child(body, subject);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline bool faults_in_child(ChildBody body, char* subject) {
    int status = run_in_child(body, subject);
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

#endif
