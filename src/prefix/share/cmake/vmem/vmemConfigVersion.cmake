# With CMAKE_PREFIX_PATH=<prefix of a Python environment>, this finds the version of the package that is installed there.

get_filename_component(vmem_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(vmem_file vmem/share/cmake/vmem/vmemConfigVersion.cmake)
file(GLOB vmem_files
  "${vmem_prefix}/lib*/python*/*-packages/${vmem_file}"
  "${vmem_prefix}/Lib/site-packages/${vmem_file}"
  "${vmem_prefix}/Python*/site-packages/${vmem_file}"
  "${vmem_prefix}/${vmem_file}")

if(vmem_files)
  list(GET vmem_files -1 vmem_file)
  include("${vmem_file}")
else()  # the search goes on in other folders
  set(PACKAGE_VERSION "none: no Python below ${vmem_prefix} has the package")
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
