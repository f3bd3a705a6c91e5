#include "types/array/export.h"

int array_export_items(Array* array, ExportedItems* exported) {
    Py_BEGIN_CRITICAL_SECTION(array);
    Place* place = array->place;
    size_t num_bytes = array_num_bytes(array);
    exported->is_readonly = num_bytes > 0 && !can_write(spans_find(&place->reservation.spans, 0)->state.protection);
    exported->hold = native_hold_begin(&place->reservation, 0, num_bytes, exported->is_readonly);
    exported->items = array->items;
    exported->length = array->length;
    if (exported->hold && place->exported_end < num_bytes) place->exported_end = num_bytes;
    Py_END_CRITICAL_SECTION();
    return exported->hold ? 0 : -1;
}
