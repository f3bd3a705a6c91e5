#include "types/array/export.h"

#include "types/array/sharing.h"

int array_export_items(Array* array, ExportedItems* exported) {
    array_load_length(array);
    Py_BEGIN_CRITICAL_SECTION(array);
    Place* place = array->place;
    size_t num_bytes = array_num_bytes(array);
    exported->items = array->items;
    exported->length = array->length;
    exported->is_readonly = array_is_readonly(array);
    exported->hold = native_hold_begin(&place->reservation, place->item_offset, num_bytes, exported->is_readonly);
    if (exported->hold && place->exported_end < num_bytes) place->exported_end = num_bytes;
    Py_END_CRITICAL_SECTION();
    return exported->hold ? 0 : -1;
}
