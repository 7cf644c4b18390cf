"""HTTP plumbing that all dialects share: bytes in and out, who calls, limits, logs. No vendor shapes, no queries."""
