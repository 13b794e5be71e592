"""Small classes with a script, in place of what is outside. No mock library."""
