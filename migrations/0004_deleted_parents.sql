-- Threads and vector stores with very many children. Such an object goes at once, and is noted here in the same
-- transaction; its children go later, a few at a time. Nobody reads the children of what is noted here.

create table deleted_parents (
  session integer not null references sessions (key) on delete cascade,
  id      text not null,
  -- The table that it was in.
  kind    text not null,
  primary key (session, id)
) strict, without rowid;
