// How a verb that can take long does its work: at once under the owner's lock where there is little to do, else piece
// by piece, with the pages marked busy, other threads running, and Python's signal handlers between the pieces with
// nothing held. paging.c says what each verb does to a piece.
#ifndef VMEM_CALL_H
#define VMEM_CALL_H

#include "paging.h"

typedef struct Call Call;

typedef struct Operation {
    const char* verb;
    bool changes;    // not only uses pages, but changes what they are: no other call may be at work on them
    bool exclusive;  // nobody may use the pages meanwhile
    // The owner's lock is held. Checks, and does once what can be refused; narrows or empties `pages` to what is left.
    int (*prepare)(Call* call);
    // The owner's lock is held. Finds the first piece at or after `done`. Returns false when there is none.
    bool (*find)(const Call* call, Pages* piece);
    // Nothing is held, and only the marked pages stay as they are.
    VmemResult (*work)(Call* call, void* ptr, size_t size);
    // The owner's lock is held. Records a piece, everything, or that it was stopped; cannot fail. May be NULL.
    void (*finish)(Call* call);
    void (*complete)(Call* call);
    void (*undo)(Call* call);
    Mend mend;  // may be NULL
} Operation;

// One call of a verb that can take long.
struct Call {
    const Operation* operation;
    Reservation* reservation;
    Attempt attempt;
    Pages pages;  // all of them
    Pages piece;  // the one at work
    size_t done;  // up to where it is done
    size_t num_promised;
    Py_ssize_t growth;     // of the mappings
    size_t num_resident;   // the answer of count_resident
    BusyMark* mark;        // NULL for a short call
    const Unused* unused;  // NULL when the range is given
    bool lost;             // a fork took the mark away, and others may have changed the pages
    VmemResult result;
    int error;
};

// Does all of it, over the pages that hold one or more bytes of a range; or over what `unused` finds. The caller holds
// no lock. Returns -1 with an exception.
int call_run(Call* call, size_t offset, size_t num_bytes);

// Provides for spans that are recorded later, when others may have used up the spare ones. For `prepare`.
int call_promise_spans(Call* call, size_t num_spans);

// Makes sure that the process may have `growth` more mappings, and has it counted by call_add_growth(). For `prepare`.
int call_check_growth(Call* call, Py_ssize_t growth);

// For `complete`; and for `undo`, where a part is done: then both of its ends may lie inside mappings.
void call_add_growth(Call* call);
void call_add_growth_of_part(Call* call);

// For `find`: all that is left from the first committed page on, or only the run of pages there that are alike.
bool call_find_committed(const Call* call, Pages* piece);
bool call_find_run(const Call* call, Pages* piece);

#endif
