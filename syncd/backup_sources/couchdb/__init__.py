"""Databases of a CouchDB, document by document."""
