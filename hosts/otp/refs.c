/* SPDX-License-Identifier: Apache-2.0 */
/* References that outlive the calls that made them: those of calls that wait.
 *
 * Only an environment can keep a term, each takes a kilobyte before it keeps any, and gives nothing back until it is
 * cleared. So many references share one, on a shelf. A thread puts those of its calls on shelves of its own; any thread
 * takes them off. What was taken off leaves its place free, and its term as litter: when the environment has made as
 * many terms as the shelf has places, those that are left move to a new one. A shelf with too many left for that is set
 * aside, and serves again, with whatever thread needs one, once enough of them are gone. So however calls come and go,
 * and whichever of them wait for long, shelves are mostly full, but for those that were once. */
#include "hosts/otp/otp.h"

enum {
    PLACES = 256,
    CROWDED = PLACES * 3 / 4, /* with more references than this, moving them makes too little room to be worth it */
};

struct otp_shelf {
    gt_lock lock;
    bool aside; /* no thread's. This and what follows, but for the list: guarded by the lock */
    ErlNifEnv *env;
    int made;  /* how many terms env holds */
    int count; /* how many of them are still needed */
    uint8_t free[PLACES];
    ERL_NIF_TERM terms[PLACES]; /* 0: the place is free */
    struct otp_shelf *next;     /* the list of those that can serve again; guarded by its lock */
    struct otp_shelf **previous;
};

/* Innermost. */
static gt_lock list_lock = GT_LOCK_INIT;
static otp_shelf *list;

static void enlist(otp_shelf *shelf) {
    gt_lock_take(&list_lock);
    shelf->next = list;
    shelf->previous = &list;
    if (list != NULL)
        list->previous = &shelf->next;
    list = shelf;
    gt_lock_drop(&list_lock);
}

static void unlink_shelf(otp_shelf *shelf) {
    *shelf->previous = shelf->next;
    if (shelf->next != NULL)
        shelf->next->previous = shelf->previous;
    shelf->previous = NULL;
}

/* False: a thread has just taken it. */
static bool delist(otp_shelf *shelf) {
    bool listed;

    gt_lock_take(&list_lock);
    listed = shelf->previous != NULL;
    if (listed)
        unlink_shelf(shelf);
    gt_lock_drop(&list_lock);
    return listed;
}

static otp_shelf *take_from_list(void) {
    otp_shelf *shelf;

    gt_lock_take(&list_lock);
    shelf = list;
    if (shelf != NULL)
        unlink_shelf(shelf);
    gt_lock_drop(&list_lock);
    return shelf;
}

static otp_shelf *new_shelf(void) {
    otp_shelf *shelf = enif_alloc(sizeof *shelf);

    if (shelf == NULL)
        return NULL;
    *shelf = (otp_shelf){.env = enif_alloc_env()};
    if (shelf->env == NULL) {
        enif_free(shelf);
        return NULL;
    }
    gt_lock_init(&shelf->lock);
    for (int i = 0; i < PLACES; i++)
        shelf->free[i] = (uint8_t)i;
    return shelf;
}

static void free_shelf(otp_shelf *shelf) {
    gt_lock_fini(&shelf->lock);
    enif_free_env(shelf->env);
    enif_free(shelf);
}

/* What is needed moves to a new environment. False: no memory. */
static bool clean(otp_shelf *shelf) {
    ErlNifEnv *env = enif_alloc_env();

    if (env == NULL)
        return false;
    for (int i = 0; i < PLACES; i++) {
        if (shelf->terms[i] != 0)
            shelf->terms[i] = enif_make_copy(env, shelf->terms[i]);
    }
    enif_free_env(shelf->env);
    shelf->env = env;
    shelf->made = shelf->count;
    return true;
}

/* A shelf of this thread's own, with its lock held; there is room, or can be made by cleaning. NULL: no memory. */
static otp_shelf *own_shelf(otp_shelf **own) {
    otp_shelf *shelf = *own;

    if (shelf != NULL) {
        gt_lock_take(&shelf->lock);
        if (shelf->made < PLACES || shelf->count <= CROWDED)
            return shelf;
        shelf->aside = true;
        gt_lock_drop(&shelf->lock);
    }
    shelf = take_from_list();
    if (shelf == NULL)
        shelf = new_shelf();
    *own = shelf;
    if (shelf == NULL)
        return NULL;
    gt_lock_take(&shelf->lock);
    shelf->aside = false;
    return shelf;
}

bool otp_ref_keep(otp_ref *out, ERL_NIF_TERM ref, enum otp_shelf_of where) {
    otp_shelf *shelf = own_shelf(&otp_this_thread()->shelves[where]);
    bool room;

    if (shelf == NULL)
        return false;
    room = shelf->made < PLACES || clean(shelf);
    if (room) {
        *out = (otp_ref){.shelf = shelf, .place = shelf->free[shelf->count++]};
        shelf->terms[out->place] = enif_make_copy(shelf->env, ref);
        shelf->made++;
    }
    gt_lock_drop(&shelf->lock);
    return room;
}

/* Returns the reference itself if env isn't NULL. */
static ERL_NIF_TERM take_off(ErlNifEnv *env, otp_ref *ref) {
    otp_shelf *shelf = ref->shelf;
    ERL_NIF_TERM copy = 0;
    bool empty;

    gt_lock_take(&shelf->lock);
    if (env != NULL)
        copy = enif_make_copy(env, shelf->terms[ref->place]);
    shelf->terms[ref->place] = 0;
    shelf->free[--shelf->count] = ref->place;
    if (shelf->aside && shelf->count == CROWDED)
        enlist(shelf);
    empty = shelf->aside && shelf->count == 0 && delist(shelf);
    gt_lock_drop(&shelf->lock);
    if (empty)
        free_shelf(shelf);
    ref->shelf = NULL;
    return copy;
}

ERL_NIF_TERM otp_ref_take(ErlNifEnv *env, otp_ref *ref) {
    return take_off(env, ref);
}

void otp_ref_drop(otp_ref *ref) {
    if (ref->shelf != NULL)
        (void)take_off(NULL, ref);
}

bool otp_ref_is(const otp_ref *ref, ERL_NIF_TERM term) {
    otp_shelf *shelf = ref->shelf;
    bool same;

    gt_lock_take(&shelf->lock);
    same = enif_compare(shelf->terms[ref->place], term) == 0;
    gt_lock_drop(&shelf->lock);
    return same;
}

void otp_shelf_leave(otp_shelf *shelf) {
    bool empty;

    gt_lock_take(&shelf->lock);
    shelf->aside = true;
    empty = shelf->count == 0;
    if (!empty && shelf->count <= CROWDED)
        enlist(shelf);
    gt_lock_drop(&shelf->lock);
    if (empty)
        free_shelf(shelf);
}
