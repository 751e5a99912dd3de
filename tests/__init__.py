"""The tests, laid out like the package; `contracts/` holds the laws that every member of a room obeys."""
