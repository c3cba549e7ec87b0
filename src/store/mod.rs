//! Where runs, journals and leases are kept: SQLite (embedded) or PostgreSQL (shared), behind one contract.
//!
//! Must not: interpret a journal (`run` does) or read a clock for decisions other than lease expiry.
