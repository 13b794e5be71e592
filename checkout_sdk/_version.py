# As in pyproject.toml (a test compares): asking the installed metadata would cost an import 10 ms.
VERSION = "0.1.0"
