# With CMAKE_PREFIX_PATH=<prefix of a Python environment>, this finds the package that is installed there. That there is one is
# found out in vmemConfigVersion.cmake, before.

get_filename_component(vmem_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(vmem_file vmem/share/cmake/vmem/vmemConfig.cmake)
file(GLOB vmem_files
  "${vmem_prefix}/lib*/python*/*-packages/${vmem_file}"
  "${vmem_prefix}/Lib/site-packages/${vmem_file}"
  "${vmem_prefix}/Python*/site-packages/${vmem_file}"
  "${vmem_prefix}/${vmem_file}")

list(GET vmem_files -1 vmem_file)
include("${vmem_file}")
