// Table.extend(): many rows, all of them or none.
#ifndef VMEM_TABLE_EXTENDING_H
#define VMEM_TABLE_EXTENDING_H

#include "types/table/table.h"

PyObject* table_extend(Table* self, PyObject* columns);

#endif
