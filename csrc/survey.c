#include "survey.h"

#include "call.h"
#include "pins.h"

// Committed pages that are alike in the record, and how much of them is in memory. They are cut so small that the
// number tells where; up to this many cells in all, and one more for each span, that is single pages.
#define MAX_CELLS 4096

typedef struct Cell {
    Pages pages;
    PageState state;
    size_t num_resident;
} Cell;

// The record is copied at once, because making Python objects of it can run anything. What is resident is counted after
// that as by resident(): the pages are marked, so that they stay what they are.
typedef struct Survey {
    Call call;
    const char* base;
    CountUsed count_used;
    size_t used;
    Cell* cells;
    size_t num_cells;
    size_t next_cell;  // the first one that may have pages left to count
    Pages* views;      // the bytes of each
    size_t num_views;
} Survey;

// --- copying the record ---

static void add_cells(Survey* survey, const Span* span, size_t cell_size, bool has_locks) {
    for (size_t start = span->start; start < span->end; survey->num_cells++) {
        size_t end = span->end - start > cell_size ? start + cell_size : span->end;
        PageState state = {span->state.protection, span->state.locked && has_locks};
        survey->cells[survey->num_cells] = (Cell){{start, end}, state, 0};
        start = end;
    }
}

// A fork takes no locks along, though the record may still tell of them.
static int copy_spans(Survey* survey, const Reservation* reservation) {
    const SpanMap* map = &reservation->spans;
    bool has_locks = reservation->lock_process == get_process_id();
    size_t cell_size = reservation->page_size;
    while (cell_size * MAX_CELLS < map->num_bytes) cell_size *= 2;
    survey->cells = PyMem_Malloc((MAX_CELLS + map->num_spans) * sizeof(Cell));
    if (!survey->cells) {
        PyErr_NoMemory();
        return -1;
    }
    for (const Span* span = spans_find(map, 0); span; span = spans_find(map, span->end))
        add_cells(survey, span, cell_size, has_locks);
    return 0;
}

static int copy_views(Survey* survey, const Reservation* reservation) {
    survey->num_views = pins_count_from(reservation, 0);
    survey->views = PyMem_Malloc((survey->num_views + 1) * sizeof(Pages));
    if (!survey->views) {
        PyErr_NoMemory();
        return -1;
    }
    pins_copy(reservation, survey->views);
    return 0;
}

static int prepare_survey(Call* call) {
    Survey* survey = (Survey*)call;
    Reservation* reservation = call->reservation;
    survey->base = reservation->base;
    if (copy_spans(survey, reservation) < 0) return -1;
    if (copy_views(survey, reservation) < 0) return -1;
    if (survey->count_used) survey->used = survey->count_used(reservation->owner);
    bool can_count = survey->num_cells > 0 && vmem_get_capabilities().can_count_resident;
    call->pages.start = can_count ? survey->cells[0].pages.start : 0;
    call->pages.end = can_count ? survey->cells[survey->num_cells - 1].pages.end : 0;
    return 0;
}

// --- counting what is resident ---

static size_t lower(size_t one, size_t other) { return one < other ? one : other; }

static size_t higher(size_t one, size_t other) { return one > other ? one : other; }

static size_t count_common(Pages one, Pages other) {
    size_t start = higher(one.start, other.start), end = lower(one.end, other.end);
    return end > start ? end - start : 0;
}

// Counts in neighbouring cells, or the part of them that is among some pages. Asking is what costs, so that several are
// asked for at once, and only those that are not alike one by one.
static VmemResult count_cells(const char* base, Cell* cells, size_t num_cells, Pages pages) {
    size_t num_resident, num_each = num_cells > 8 ? num_cells / 8 : 1;
    VmemResult result = vmem_count_resident(base + pages.start, pages.end - pages.start, &num_resident);
    if (result != VMEM_SUCCESS || num_resident == 0) return result;
    if (num_cells == 1 || num_resident == pages.end - pages.start) {
        for (size_t i = 0; i < num_cells; i++)
            cells[i].num_resident += num_cells == 1 ? num_resident : count_common(cells[i].pages, pages);
        return VMEM_SUCCESS;
    }
    for (size_t i = 0; i < num_cells && result == VMEM_SUCCESS; i += num_each) {
        size_t count = lower(num_each, num_cells - i);
        Pages some = {higher(cells[i].pages.start, pages.start), lower(cells[i + count - 1].pages.end, pages.end)};
        result = count_cells(base, cells + i, count, some);
    }
    return result;
}

// A piece lies in one span, and pieces come in order.
static VmemResult survey_piece(Call* call, void* ptr, size_t size) {
    Survey* survey = (Survey*)call;
    Pages piece = {call->piece.start, call->piece.start + size};
    size_t first = survey->next_cell, last;
    while (first < survey->num_cells && survey->cells[first].pages.end <= piece.start) first++;
    for (last = first; last < survey->num_cells && survey->cells[last].pages.start < piece.end;) last++;
    survey->next_cell = first;
    if (first == last) return VMEM_SUCCESS;
    return count_cells((const char*)ptr - piece.start, survey->cells + first, last - first, piece);
}

static const Operation SURVEY = {
    .verb = "map",
    .prepare = prepare_survey,
    .find = call_find_run,
    .work = survey_piece,
};

// --- joining what is alike ---

static bool are_alike(const Cell* one, const Cell* other) {
    size_t one_size = one->pages.end - one->pages.start, other_size = other->pages.end - other->pages.start;
    return one->state.protection == other->state.protection && one->state.locked == other->state.locked &&
           (one->num_resident == 0) == (other->num_resident == 0) &&
           (one->num_resident == one_size) == (other->num_resident == other_size);
}

static void join_cells(Survey* survey) {
    size_t num_joined = 0;
    for (size_t i = 0; i < survey->num_cells; i++) {
        const Cell* cell = &survey->cells[i];
        Cell* last = num_joined > 0 ? &survey->cells[num_joined - 1] : NULL;
        if (last && last->pages.end == cell->pages.start && are_alike(last, cell)) {
            last->pages.end = cell->pages.end;
            last->num_resident += cell->num_resident;
        } else {
            survey->cells[num_joined++] = *cell;
        }
    }
    survey->num_cells = num_joined;
}

// --- making Python objects ---

static PyObject* cell_as_tuple(const Survey* survey, size_t index) {
    const Cell* cell = &survey->cells[index];
    bool is_counted = vmem_get_capabilities().can_count_resident;
    return Py_BuildValue("(nniON)", (Py_ssize_t)cell->pages.start, (Py_ssize_t)cell->pages.end,
                         (int)cell->state.protection, cell->state.locked ? Py_True : Py_False,
                         is_counted ? PyLong_FromSize_t(cell->num_resident) : Py_NewRef(Py_None));
}

static PyObject* view_as_tuple(const Survey* survey, size_t index) {
    const Pages* view = &survey->views[index];
    return Py_BuildValue("(nn)", (Py_ssize_t)view->start, (Py_ssize_t)view->end);
}

static PyObject* make_list(const Survey* survey, size_t length, PyObject* (*make)(const Survey*, size_t)) {
    PyObject* list = PyList_New((Py_ssize_t)length);
    for (size_t i = 0; list && i < length; i++) {
        PyObject* item = make(survey, i);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0) Py_CLEAR(list);
    }
    return list;
}

// Py_BuildValue() takes over what stands for N, and hands on the exception where one of them is NULL.
static PyObject* make_arguments(const Survey* survey, PyObject* name) {
    const Reservation* reservation = survey->call.reservation;
    return Py_BuildValue(
        "(sONnnNNN)", reservation->kind, name, PyLong_FromVoidPtr((void*)survey->base), (Py_ssize_t)reservation->size,
        (Py_ssize_t)reservation->page_size, survey->count_used ? PyLong_FromSize_t(survey->used) : Py_NewRef(Py_None),
        make_list(survey, survey->num_cells, cell_as_tuple), make_list(survey, survey->num_views, view_as_tuple));
}

static PyObject* make_map(ModuleState* state, PyObject* arguments) {
    if (!state || module_check_loaded(state) < 0) return NULL;
    if (!state->make_map) {
        PyErr_SetString(PyExc_RuntimeError, "nobody has said what makes maps; set_map_maker() does");
        return NULL;
    }
    PyObject* make = Py_NewRef(state->make_map);  // what it runs can set another
    PyObject* map = PyObject_CallObject(make, arguments);
    Py_DECREF(make);
    return map;
}

PyObject* survey_map(ModuleState* state, Reservation* reservation, PyObject* name, CountUsed count_used) {
    Survey survey = {.call = {.operation = &SURVEY, .reservation = reservation}, .count_used = count_used};
    PyObject *arguments = NULL, *map = NULL;
    Py_INCREF(name);
    if (call_run(&survey.call, 0, reservation->size) == 0) {
        join_cells(&survey);
        arguments = make_arguments(&survey, name);
    }
    if (arguments) map = make_map(state, arguments);
    Py_XDECREF(arguments);
    Py_DECREF(name);
    PyMem_Free(survey.cells);
    PyMem_Free(survey.views);
    return map;
}
