# The version of pyproject.toml (a test compares): asking the installed metadata costs an import 10 ms.
VERSION = "0.1.0"
