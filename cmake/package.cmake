# `make package`: what is installed, and the Debian package and the archive of it. Libraries are those of the
# distribution that it is built on, so a package is for that one.
set(completions ${PROJECT_BINARY_DIR}/completions)
file(MAKE_DIRECTORY ${completions})
add_custom_command(OUTPUT ${completions}/holdfast ${completions}/_holdfast ${completions}/holdfast.fish
  COMMAND sh -euc "\"$0\" completion bash >holdfast; \"$0\" completion zsh >_holdfast; \"$0\" completion fish >holdfast.fish"
          $<TARGET_FILE:holdfast>
  WORKING_DIRECTORY ${completions}
  DEPENDS holdfast VERBATIM)
add_custom_target(completions DEPENDS ${completions}/holdfast)

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # `make package` has built what is installed
set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "" FORCE)
file(GLOB man_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.1)
install(TARGETS holdfast RUNTIME DESTINATION bin)
install(FILES ${man_pages} DESTINATION share/man/man1)
install(FILES ${completions}/holdfast DESTINATION share/bash-completion/completions)
install(FILES ${completions}/_holdfast DESTINATION share/zsh/vendor-completions)
install(FILES ${completions}/holdfast.fish DESTINATION share/fish/vendor_completions.d)
install(FILES packaging/holdfast-agent@.service DESTINATION lib/systemd/system)
install(FILES README.md NOTICE DESTINATION share/doc/holdfast)
install(FILES LICENSE DESTINATION share/doc/holdfast RENAME copyright)

set(CPACK_GENERATOR "DEB;TZST")
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_VENDOR "the Holdfast authors")
set(CPACK_PACKAGE_CONTACT "the Holdfast authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "triage, repair and backup of MariaDB, MySQL, Galera and PostgreSQL clusters")
set(CPACK_PACKAGE_DESCRIPTION
    "One program that says what is wrong with a database cluster, repairs it without\n destroying what is unique, and backs it up into repositories of restic's format.")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_SYSTEM_NAME linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "mariadb-client, postgresql-client")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/packaging/postinst;${PROJECT_SOURCE_DIR}/packaging/prerm;${PROJECT_SOURCE_DIR}/packaging/postrm")
include(CPack)
