# find_package(vmem <version>) accepts a version that is not older and of the same series, such as 0.1 or 1. A range accepts
# every version in it.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../../../_about.py" PACKAGE_VERSION REGEX "^__version__ = ")
string(REGEX REPLACE "^[^\"]*\"([0-9.]+).*$" "\\1" PACKAGE_VERSION "${PACKAGE_VERSION}")

set(PACKAGE_VERSION_COMPATIBLE FALSE)
if(PACKAGE_FIND_VERSION_RANGE)
  if(PACKAGE_VERSION VERSION_GREATER_EQUAL PACKAGE_FIND_VERSION_MIN
     AND (PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION_MAX
          OR (PACKAGE_FIND_VERSION_RANGE_MAX STREQUAL "INCLUDE"
              AND PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION_MAX)))
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
else()
  set(vmem_series_regex "^(0\\.[0-9]+|[1-9][0-9]*)")
  string(REGEX MATCH "${vmem_series_regex}" vmem_series "${PACKAGE_VERSION}")
  string(REGEX MATCH "${vmem_series_regex}" vmem_wanted_series "${PACKAGE_FIND_VERSION}")
  if(vmem_series STREQUAL vmem_wanted_series AND PACKAGE_VERSION VERSION_GREATER_EQUAL PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
  if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
