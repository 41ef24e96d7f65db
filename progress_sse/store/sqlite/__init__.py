"""The backend that keeps sessions in an SQLite file; the default."""
