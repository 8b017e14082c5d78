# What building against the PyPI wheels needs and a ROS installation does not; there, it changes nothing that is built.
# Included, or passed as CMAKE_PROJECT_INCLUDE; it runs at the end of configuring, when all targets are known.
#
# 1. The wheels' imported generator targets name include folders of the machine that built them; CMake refuses folders
#    that do not exist, so they are dropped.
# 2. Our own generator target would do the same to others (NumPy's folder, which may even lie in a virtual environment
#    inside the source folder, an error); there it is kept for this build and left out of what is exported.
function(drop_missing_includes)
  get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS imported)
    foreach(property INTERFACE_INCLUDE_DIRECTORIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES)
      get_target_property(folders ${target} ${property})
      if(NOT folders)
        continue()
      endif()
      set(kept)
      foreach(folder IN LISTS folders)
        if(folder MATCHES "^\\$<" OR EXISTS "${folder}")
          list(APPEND kept "${folder}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES ${property} "${kept}")
    endforeach()
  endforeach()

  get_property(own DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS own)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT target MATCHES "__rosidl_generator_py$" OR NOT folders)
      continue()
    endif()
    list(TRANSFORM folders REPLACE "^(/.*)$" "$<BUILD_INTERFACE:\\1>")
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_missing_includes)
