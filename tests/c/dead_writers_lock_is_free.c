/* A writer in another process: a second one is refused at once, and told which process it is. Once it is dead its lock is free, with
 * nothing to be removed, also while a child that it forked lives on. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Lives for as long as the other end of the pipe is open, which is in the first process. */
static void live(int pipe_end)
{
    char byte;
    while (read(pipe_end, &byte, 1) > 0) {
    }
    _exit(0);
}

/* Opens the store, forks a child that lives on, and waits to be killed. The child says who it is: by then it has let go of what it must
 * not keep. */
static void writer(int tell, int until)
{
    estore *store = open_store("the-store", NULL);
    pid_t heir;

    append_text(store, 1, "a");
    heir = fork();
    CHECK(heir >= 0);
    if (heir == 0) {
        heir = getpid();
        CHECK(write(tell, &heir, sizeof heir) == sizeof heir);
    }
    live(until);
}

int main(void)
{
    int told[2], alive[2];
    estore *store = NULL;
    char name[64];
    double start;
    pid_t pid, heir;

    CHECK(pipe(told) == 0 && pipe(alive) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(alive[1]);
        writer(told[1], alive[0]);
    }
    CHECK(read(told[0], &heir, sizeof heir) == sizeof heir);

    start = seconds();
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("the-store", 9, NULL, &store, &err));
    CHECK(seconds() - start < 5);
    sprintf(name, "process %ld", (long)pid);
    CHECK(strstr(err.message, name) != NULL);
    ANSWERS(ESTORE_ERR_LOCKED, estore_destroy("the-store", 9, NULL, &err));

    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(kill(heir, 0) == 0);
    store = open_store("the-store", NULL);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a") == 0);
    append_text(store, 2, "b");
    OK(estore_close(&store, &err));
    return 0;
}
