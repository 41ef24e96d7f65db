"""The backend that keeps sessions in Redis or Valkey, for several processes."""
