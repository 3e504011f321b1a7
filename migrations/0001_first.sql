-- A row is the object: `body` is its JSON, and SQLite derives from it every column that is queried, so
-- that the two cannot disagree. Names in the URL, in the JSON and in the tables are the same names.
--
-- `seq` is the order of lists and the meaning of a cursor, because `created_at` has only seconds, and
-- ties. Every index that serves a list ends in `seq`, so a page costs the same at ten rows and ten million.
--
-- Every table begins with the session: a world of its own, in which ids may repeat those of another.

create table sessions (
  key    integer primary key,
  name   text not null unique,
  -- How often a server was started with this session in it: seeded ids go on from there.
  starts integer not null default 0
) strict;

create table assistants (
  seq     integer primary key,
  session integer not null references sessions (key) on delete cascade,
  body    text not null,
  id      text not null generated always as (body ->> '$.id') stored,
  unique (session, id)
) strict;
create index assistants_in_order on assistants (session, seq);

create table threads (
  seq     integer primary key,
  session integer not null references sessions (key) on delete cascade,
  body    text not null,
  id      text not null generated always as (body ->> '$.id') stored,
  unique (session, id)
) strict;

create table messages (
  seq       integer primary key,
  session   integer not null,
  body      text not null,
  id        text not null generated always as (body ->> '$.id') stored,
  thread_id text not null generated always as (body ->> '$.thread_id') stored,
  run_id    text generated always as (body ->> '$.run_id') stored,
  role      text not null generated always as (body ->> '$.role') virtual,
  unique (session, id),
  foreign key (session, thread_id) references threads (session, id) on delete cascade
) strict;
-- A user's message is looked for from either end of a thread, where it mostly is.
create index messages_in_order on messages (session, thread_id, seq);
create index messages_of_run on messages (session, thread_id, run_id, seq) where run_id is not null;

create table runs (
  seq         integer primary key,
  session     integer not null,
  body        text not null,
  -- Which run of its thread it is, from 1.
  turn        integer not null,
  -- What the performer must know to go on after a restart; null once the run has ended.
  performance text,
  id          text not null generated always as (body ->> '$.id') stored,
  thread_id   text not null generated always as (body ->> '$.thread_id') stored,
  status      text not null generated always as (body ->> '$.status') stored,
  unique (session, id),
  foreign key (session, thread_id) references threads (session, id) on delete cascade
) strict;
create index runs_in_order on runs (session, thread_id, seq);
-- The lock on a thread: at most one of its runs is open.
create unique index one_open_run on runs (session, thread_id)
  where status in ('queued', 'in_progress', 'requires_action', 'cancelling');
-- What a restart has to take up, without looking at the runs that have ended.
create index open_runs on runs (session, seq)
  where status in ('queued', 'in_progress', 'requires_action', 'cancelling');

create table run_steps (
  seq       integer primary key,
  session   integer not null,
  body      text not null,
  id        text not null generated always as (body ->> '$.id') stored,
  thread_id text not null generated always as (body ->> '$.thread_id') stored,
  run_id    text not null generated always as (body ->> '$.run_id') stored,
  unique (session, id),
  foreign key (session, run_id) references runs (session, id) on delete cascade
) strict;
-- Also what SQLite looks in, whenever a run changes, for steps that refer to it.
create index run_steps_in_order on run_steps (session, run_id, seq);
