CREATE TABLE runs (
    key         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    subject     TEXT NOT NULL,
    plan_digest TEXT NOT NULL UNIQUE,
    created_at  TEXT NOT NULL
) STRICT;

-- Apart from the runs, so that no journal write ever touches a page that a plan fills.
CREATE TABLE plans (
    run   INTEGER PRIMARY KEY REFERENCES runs (key),
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE records (
    run   INTEGER NOT NULL REFERENCES runs (key),
    seq   INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    hash  TEXT NOT NULL,
    body  TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- One row a subject for ever: its epoch must outlive every holder. Times in microseconds since 1970.
CREATE TABLE leases (
    subject     TEXT PRIMARY KEY,
    epoch       INTEGER NOT NULL,
    id          TEXT NOT NULL UNIQUE,
    who         TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    acquired_us INTEGER NOT NULL,
    expires_us  INTEGER NOT NULL,
    held        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
