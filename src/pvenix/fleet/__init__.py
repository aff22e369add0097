"""The fleet's files: positioned YAML in, Fleet and Play out, every problem at file:line:col; edits keep every other byte."""
