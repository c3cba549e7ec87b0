-- Who a user's access tokens are for. Backward compatible: the default serves rows that 2.6 inserts.
alter table users add column audience text not null default 'orthid';
