# Made from _async/__init__.py by proto/generate_sync.py; not to be edited.
