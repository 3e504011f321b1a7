-- Containers, in which the code interpreters of responses work, and the files in them.

create table containers (
  seq        integer primary key,
  session    integer not null references sessions (key) on delete cascade,
  body       text not null,
  id         text not null generated always as (body ->> '$.id') stored,
  status     text not null generated always as (body ->> '$.status') stored,
  name       text not null generated always as (body ->> '$.name') virtual,
  -- The API shows only the time of the last use, and the minutes after it.
  expires_at integer not null generated always as
    ((body ->> '$.last_active_at') + 60 * (body ->> '$.expires_after.minutes')) stored,
  unique (session, id)
) strict;
create index containers_in_order on containers (session, seq);
create index containers_by_name on containers (session, name, seq);
create index containers_to_expire on containers (session, expires_at) where status = 'running';

-- The content of a file is a separate blob: it stays when the original file is deleted.
create table container_files (
  seq          integer primary key,
  session      integer not null,
  body         text not null,
  blob         text not null,
  id           text not null generated always as (body ->> '$.id') stored,
  container_id text not null generated always as (body ->> '$.container_id') stored,
  unique (session, container_id, id),
  foreign key (session, container_id) references containers (session, id) on delete cascade
) strict;
create index container_files_in_order on container_files (session, container_id, seq);
create index container_files_by_blob on container_files (blob);

create trigger a_container_file_goes after delete on container_files begin
  insert or ignore into dead_blobs select old.blob where not exists (select 1 from container_files where blob = old.blob);
end;
