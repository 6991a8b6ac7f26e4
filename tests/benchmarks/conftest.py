# Each imports the library it is about, which need not be installed.
collect_ignore = ["contenders"]
