-- Tokens that descend from one sign-in form a family, so that the reuse of a spent one revokes them all.
-- Backward compatible: 2.5 neither reads nor writes the column, and a token without a family starts one when it is used.
alter table refresh_tokens add column family text;
create index refresh_tokens_family on refresh_tokens (family);
