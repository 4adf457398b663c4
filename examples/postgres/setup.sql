-- Run once in a database's server, by a superuser: the role that owns the objects, and the one that rotates login roles.
\set password `cat /admin/password`
CREATE ROLE app;
CREATE DATABASE shop OWNER app;
CREATE ROLE rotator LOGIN CREATEROLE PASSWORD :'password';
GRANT app TO rotator WITH ADMIN OPTION;
