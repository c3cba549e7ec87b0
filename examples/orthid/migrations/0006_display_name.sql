-- What a user wants to be called. Backward compatible: 2.7 neither reads nor writes the column.
alter table users add column display_name text;
