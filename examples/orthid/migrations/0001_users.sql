-- People who can sign in.
create table users (
    id            text primary key,
    email         text not null unique,
    password_hash text not null,
    created_at    timestamptz not null default now()
);
