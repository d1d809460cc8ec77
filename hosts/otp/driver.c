/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: one port, whose only descriptor is our poller's. The emulator watches it with all its others, and
 * ready_input tells the port's owner, the runner, which runs the poller in a native function of its own: so no thread
 * of ours is needed, and what is sent is sent by a process (outbox.c says what for). While there is little to do,
 * ready_input runs the poller itself.
 *
 * The port's owner decides how long there is a poller: when the port stops, its sockets are closed. */
#include <erl_driver.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "hosts/otp/otp.h"

enum {
    EVENTS_A_RUN = 256,
    RUN_PERCENT = 10, /* of a time slice, that a run takes */
    RUNNERS = 100,    /* so many runs are the runner's after one with many to serve, or after a message of its own */
    LOOK_US = 50,     /* so long at most a call looks again and again, while the poller lingers */
    LOOKS = 16,       /* so many take about a hundredth of a time slice */
};

struct otp_poller {
    gt_poller_user user; /* first */
    gt_poller *poller;
    ErlDrvPort port;
    int fd;
    atomic_int references; /* the port's, and one a socket */
    ErlNifPid runner;      /* once served is true */
    atomic_bool served;
    atomic_bool asked;  /* the runner has been told, and hasn't begun */
    atomic_int runners; /* so many of the next runs are the runner's */
    atomic_bool runs_now;
    bool lingers;                  /* the poller stays ready. Guarded by runs_now */
    _Atomic int64_t lingers_until; /* enif_monotonic_time's microseconds */
    bool stopped;                  /* this and what follows: guarded by `lock` */
    otp_socket *sockets;
};

/* Innermost: taken inside a socket's lock, and nothing is called while it is held. */
static gt_lock lock = GT_LOCK_INIT;
static otp_poller *running;
static otp_poller *ending; /* stopped, and the emulator may still look at its descriptor; one at a time */
static _Atomic int64_t linger_us;
static atomic_uint_fast64_t runs;
static otp_totals totals; /* of closed sockets */

static void *allocate(size_t size) {
    return enif_alloc(size);
}

static void release(void *memory) {
    enif_free(memory);
}

gt_poller *otp_poller_of(const otp_poller *p) {
    return p->poller;
}

otp_poller *otp_poller_that_watches(const gt_socket *socket) {
    return (otp_poller *)(uintptr_t)gt_poller_user_of(socket->watch.poller);
}

void otp_poller_keep(otp_poller *p) {
    atomic_fetch_add(&p->references, 1);
}

void otp_poller_drop(otp_poller *p) {
    if (atomic_fetch_sub(&p->references, 1) > 1)
        return;
    gt_poller_close(p->poller);
    enif_free(p);
}

static otp_poller *take_running(void) {
    otp_poller *p;

    gt_lock_take(&lock);
    p = running;
    if (p != NULL)
        otp_poller_keep(p);
    gt_lock_drop(&lock);
    return p;
}

otp_poller *otp_poller_take(void) {
    otp_poller *p = take_running();

    if (p == NULL || !atomic_load(&p->served) || enif_is_process_alive(NULL, &p->runner))
        return p;
    otp_poller_drop(p); /* its port is about to stop, and would close what is opened now */
    return NULL;
}

bool otp_poller_stopped(otp_poller *p) {
    bool stopped;

    gt_lock_take(&lock);
    stopped = p->stopped;
    gt_lock_drop(&lock);
    return stopped;
}

void otp_poller_enlist(otp_socket *s) {
    otp_poller *p = otp_poller_that_watches(&s->socket);

    gt_lock_take(&lock);
    if (s->previous == NULL && !p->stopped) {
        s->next = p->sockets;
        s->previous = &p->sockets;
        if (s->next != NULL)
            s->next->previous = &s->next;
        p->sockets = s;
    }
    gt_lock_drop(&lock);
}

static void unlink_socket(otp_socket *s) {
    if (s->previous == NULL)
        return;
    *s->previous = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    s->previous = NULL;
}

void otp_poller_delist(otp_socket *s) {
    const gt_counters *counters = &s->socket.counters;

    gt_lock_take(&lock);
    unlink_socket(s);
    totals.sockets++;
    totals.recv_oct += counters->recv_oct;
    totals.recv_cnt += counters->recv_cnt;
    totals.send_oct += counters->send_oct;
    totals.send_cnt += counters->send_cnt;
    gt_lock_drop(&lock);
}

otp_totals otp_poller_totals(void) {
    otp_totals copy;

    gt_lock_take(&lock);
    copy = totals;
    copy.runs = atomic_load(&runs);
    gt_lock_drop(&lock);
    return copy;
}

size_t otp_poller_list(otp_socket **out, size_t room) {
    size_t count = 0;

    gt_lock_take(&lock);
    for (otp_socket *s = running != NULL ? running->sockets : NULL; s != NULL; s = s->next, count++) {
        if (count < room) {
            enif_keep_resource(s);
            out[count] = s;
        }
    }
    gt_lock_drop(&lock);
    return count;
}

/* The next socket to close, with a reference, taken off the list. */
static otp_socket *next_to_close(otp_poller *p) {
    otp_socket *s;

    gt_lock_take(&lock);
    s = p->sockets;
    if (s != NULL) {
        unlink_socket(s);
        enif_keep_resource(s);
    }
    gt_lock_drop(&lock);
    return s;
}

static void close_all(otp_poller *p) {
    otp_socket *s;

    while ((s = next_to_close(p)) != NULL) {
        gt_abort(&s->socket);
        enif_release_resource(s);
    }
}

void otp_poller_close_all(void) {
    otp_poller *p = take_running();

    if (p == NULL)
        return;
    close_all(p);
    otp_poller_drop(p);
}

void otp_poller_linger(int64_t microseconds) {
    atomic_store_explicit(&linger_us, microseconds, memory_order_relaxed);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the emulator's */
static ErlDrvData start(ErlDrvPort port, char *command) {
    otp_poller *p;
    bool taken;

    (void)command;
    p = enif_alloc(sizeof *p);
    if (p == NULL)
        return ERL_DRV_ERROR_GENERAL;
    *p = (otp_poller){.port = port};
    gt_poller_user_init(&p->user, allocate, release);
    atomic_init(&p->references, 1);
    atomic_init(&p->lingers_until, INT64_MIN); /* Erlang's time begins below 0 */
    if (gt_poller_open(&p->poller, &gt_backend_epoll, &p->user) != 0)
        goto no_poller;
    p->fd = gt_poller_fd(p->poller);
    gt_lock_take(&lock);
    taken = running != NULL || ending != NULL;
    if (!taken)
        running = p;
    gt_lock_drop(&lock);
    if (taken)
        goto no_place;
    if (driver_select(port, (ErlDrvEvent)(intptr_t)p->fd, ERL_DRV_READ | ERL_DRV_USE, 1) != 0)
        goto no_select;
    return (ErlDrvData)p;
no_select:
    gt_lock_take(&lock);
    running = NULL;
    p->stopped = true;
    gt_lock_drop(&lock);
no_place:
    otp_poller_drop(p);
    return ERL_DRV_ERROR_GENERAL;
no_poller:
    enif_free(p);
    return ERL_DRV_ERROR_GENERAL;
}

static int64_t now_us(void) {
    return enif_monotonic_time(ERL_NIF_USEC);
}

static bool begin_run(otp_poller *p) {
    return !atomic_exchange(&p->runs_now, true);
}

static void end_run(otp_poller *p) {
    atomic_store(&p->runs_now, false);
}

/* How many things were reported, or a negative errno. */
static int look(otp_poller *p) {
    int found = gt_poller_run_on(p->poller, EVENTS_A_RUN);

    atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
    if (found <= 0)
        return found;
    if (gt_poller_crowded(p->poller))
        atomic_store(&p->runners, RUNNERS);
    else if (atomic_load(&p->runners) > 0) /* it isn't worth to schedule a process, if it is always so few */
        atomic_fetch_sub(&p->runners, 1);
    return found;
}

/* The same again and again, until there is something, or for LOOK_US: the emulator's own way from one look to the next
 * takes as long as ten of these. A process (env; NULL: none) pays for that with its time slice. */
static int look_for_a_while(otp_poller *p, ErlNifEnv *env) {
    int64_t end = now_us() + LOOK_US;
    int found = 0;

    do {
        for (int i = 0; i < LOOKS && found == 0; i++)
            found = look(p);
        if (env != NULL)
            (void)enif_consume_timeslice(env, 1);
    } while (found == 0 && now_us() < end);
    return found;
}

/* With a linger time, the poller stays readable for so long after the last run that had something to do: the emulator
 * then looks in again, in between what else its schedulers have to run, instead of sleeping until it is woken. Unless
 * that isn't needed, because a process looks itself. */
static void linger(otp_poller *p, bool found, bool needed) {
    int64_t time = atomic_load_explicit(&linger_us, memory_order_relaxed);
    int64_t now;

    if (time == 0 && !p->lingers)
        return;
    now = now_us();
    if (found)
        atomic_store_explicit(&p->lingers_until, now + time, memory_order_relaxed);
    p->lingers = needed && time > 0 && now < atomic_load_explicit(&p->lingers_until, memory_order_relaxed);
    gt_poller_stay_ready(p->poller, p->lingers);
}

/* One run, unless another thread makes one: false. */
static bool run(otp_poller *p, bool patient) {
    int found;

    if (!begin_run(p))
        return false;
    found = patient && p->lingers ? look_for_a_while(p, NULL) : look(p);
    linger(p, found > 0, true);
    end_run(p);
    return true;
}

/* Bytes have to come before a recv can be answered. */
static bool has_to_wait(otp_socket *s) {
    bool so;

    gt_lock_take(&s->socket.lock);
    so = s->socket.state == GT_CONNECTED && s->socket.drained && s->socket.input == NULL;
    gt_lock_drop(&s->socket.lock);
    return so;
}

bool otp_poller_may_look(otp_socket *s) {
    otp_poller *p;

    if (atomic_load_explicit(&linger_us, memory_order_relaxed) == 0)
        return false;
    p = otp_poller_that_watches(&s->socket);
    return atomic_load(&p->runners) == 0 && has_to_wait(s) &&
           now_us() < atomic_load_explicit(&p->lingers_until, memory_order_relaxed);
}

void otp_poller_look(ErlNifEnv *env, otp_socket *s) {
    otp_poller *p = otp_poller_that_watches(&s->socket);
    bool found;

    if (!begin_run(p))
        return;
    gt_poller_stay_ready(p->poller, false); /* one scheduler is enough */
    found = look_for_a_while(p, env) > 0;
    linger(p, found, !found);
    end_run(p);
}

static bool is_runner(otp_poller *p, ErlNifEnv *env) {
    ErlNifPid self;

    (void)enif_self(env, &self);
    if (atomic_load(&p->served))
        return enif_compare_pids(&self, &p->runner) == 0;
    p->runner = self;
    atomic_store(&p->served, true);
    return true;
}

bool otp_poller_run(ErlNifEnv *env) {
    otp_thread *thread = otp_this_thread();
    otp_poller *p = take_running();
    bool its_own;

    if (p == NULL)
        return true;
    its_own = is_runner(p, env);
    if (its_own) {
        atomic_store(&p->asked, false);
        thread->run_env = env;
        otp_outbox_flush();
        (void)run(p, false);
        thread->run_env = NULL;
        (void)enif_consume_timeslice(env, RUN_PERCENT);
    }
    otp_poller_drop(p);
    return its_own;
}

static bool ask(otp_poller *p) {
    return atomic_load(&p->served) &&
           (atomic_exchange(&p->asked, true) || enif_send(NULL, &p->runner, NULL, otp_atom.run) != 0);
}

bool otp_poller_ask(void) {
    otp_poller *p = take_running();
    bool asked;

    if (p == NULL)
        return false;
    atomic_store(&p->runners, RUNNERS);
    asked = ask(p);
    otp_poller_drop(p);
    return asked;
}

static void ready_input(ErlDrvData data, ErlDrvEvent event) {
    otp_poller *p = (otp_poller *)data;

    (void)event;
    if (atomic_load(&p->runners) > 0 || !run(p, true))
        (void)ask(p);
}

static void stop(ErlDrvData data) {
    otp_poller *p = (otp_poller *)data;

    gt_lock_take(&lock);
    running = NULL;
    ending = p;
    p->stopped = true;
    gt_lock_drop(&lock);
    close_all(p);
    otp_outbox_flush();
    (void)driver_select(p->port, (ErlDrvEvent)(intptr_t)p->fd, ERL_DRV_READ | ERL_DRV_USE, 0);
}

/* The emulator has let go of the descriptor. */
static void stop_select(ErlDrvEvent event, void *reserved) {
    otp_poller *p;

    (void)event;
    (void)reserved;
    gt_lock_take(&lock);
    p = ending;
    ending = NULL;
    gt_lock_drop(&lock);
    if (p != NULL)
        otp_poller_drop(p);
}

static char name[sizeof "gentcp_" + 2 * sizeof(void *)];

static ErlDrvEntry entry = {
    .start = start,
    .stop = stop,
    .ready_input = ready_input,
    .driver_name = name,
    .extended_marker = (int)ERL_DRV_EXTENDED_MARKER,
    .major_version = ERL_DRV_EXTENDED_MAJOR_VERSION,
    .minor_version = ERL_DRV_EXTENDED_MINOR_VERSION,
    .driver_flags = ERL_DRV_FLAG_USE_PORT_LOCKING,
    .stop_select = stop_select,
};

static void add_entry(void) {
    (void)snprintf(name, sizeof name, "gentcp_%" PRIxPTR, (uintptr_t)&entry);
    add_driver_entry(&entry);
}

const char *otp_driver_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, add_entry);
    return name;
}
