CREATE TABLE orthid_state.runs (
    key         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id          text NOT NULL UNIQUE,
    subject     text NOT NULL,
    plan_digest text NOT NULL UNIQUE,
    created_at  text NOT NULL
);

-- Apart from the runs, so that no journal write ever touches a page that a plan fills.
CREATE TABLE orthid_state.plans (
    run   bigint PRIMARY KEY REFERENCES orthid_state.runs (key),
    bytes bytea NOT NULL
);

CREATE TABLE orthid_state.records (
    run   bigint NOT NULL REFERENCES orthid_state.runs (key),
    seq   bigint NOT NULL,
    epoch bigint NOT NULL,
    hash  text NOT NULL,
    body  text NOT NULL,
    PRIMARY KEY (run, seq)
);

-- One row a subject for ever: its epoch must outlive every holder. Times are this server's, in microseconds since 1970.
CREATE TABLE orthid_state.leases (
    subject     text PRIMARY KEY,
    epoch       bigint NOT NULL,
    id          text NOT NULL UNIQUE,
    who         text NOT NULL,
    pid         bigint NOT NULL,
    acquired_us bigint NOT NULL,
    expires_us  bigint NOT NULL,
    held        boolean NOT NULL
) WITH (fillfactor = 50);
