# find_package(vmem CONFIG) defines the target vmem::vmem: the folder of vmem.h and vmem_python.h, and nothing to link.
# `python -m vmem --cmakedir` prints where this file is, for -Dvmem_DIR=.

get_filename_component(vmem_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../../../include" ABSOLUTE)

if(NOT TARGET vmem::vmem)
  add_library(vmem::vmem INTERFACE IMPORTED)
  set_target_properties(vmem::vmem PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${vmem_INCLUDE_DIR}")
endif()
