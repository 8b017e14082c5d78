# The PyPI wheels of ROS lack tf2_msgs: it is built from the folder of that name into our own prefix. A ROS installation
# has it, and never comes here.
include(ExternalProject)
ExternalProject_Add(tf2_msgs
  SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/tf2_msgs
  BINARY_DIR ${CMAKE_CURRENT_BINARY_DIR}/tf2_msgs
  CMAKE_ARGS
    -DBUILD_TESTING=OFF
    -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
    -DCMAKE_INSTALL_PREFIX=${CMAKE_INSTALL_PREFIX}
    -DCMAKE_PROJECT_INCLUDE=${CMAKE_CURRENT_SOURCE_DIR}/cmake/drop_missing_includes.cmake
    -DPython3_EXECUTABLE=${Python3_EXECUTABLE}
)
