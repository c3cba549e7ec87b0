-- A login name need not be an e-mail address any more. BREAKING: every 2.x release reads users.email.
alter table users rename column email to login;
alter table users rename constraint users_email_key to users_login_key;
alter table users add column email text;
update users set email = login;
