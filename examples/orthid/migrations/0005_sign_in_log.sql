-- What happened at sign-in, for the user to see. Backward compatible: 2.6 does not know the table.
create table sign_in_log (
    id      bigint generated always as identity primary key,
    user_id text not null references users (id) on delete cascade,
    at      timestamptz not null default now(),
    outcome text not null check (outcome in ('accepted', 'rejected'))
);
create index sign_in_log_user_at on sign_in_log (user_id, at desc);
create index sign_in_log_at on sign_in_log (at);
