std = "lua54"
max_line_length = 120
files["spec"].std = "lua54+busted"
files["lacus-scm-1.rockspec"].std = "rockspec"
exclude_files = { "build" }
