-- Keys that sign access tokens, newest first in use; older ones stay, so that tokens they signed still verify.
create table signing_keys (
    kid         text primary key,
    private_key bytea not null,
    public_key  bytea not null,
    created_at  timestamptz not null default now()
);

-- Refresh tokens, by hash: a copy of this table lets nobody sign in.
create table refresh_tokens (
    token_hash bytea primary key,
    user_id    text not null references users (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz
);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);
