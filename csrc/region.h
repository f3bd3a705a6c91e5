// What others need of the type Region.
#ifndef VMEM_REGION_H
#define VMEM_REGION_H

#include "reservation.h"

// The reservation of an object that is a Region, of this or of another import of the module. NULL, without an
// exception, when it is something else.
Reservation* region_find_reservation(PyObject* object);

#endif
