-- Files, uploads, vector stores and what can be found in them. The rules of the first migration hold here too.
--
-- The content of a file or a part is a blob on disk, by a name that nobody outside ever sees. A row that goes
-- leaves the name of its blob in `dead_blobs`, whatever took the row away; whoever buries the dead removes the
-- content first and the name after it, so that none is forgotten.

create table files (
  seq        integer primary key,
  session    integer not null references sessions (key) on delete cascade,
  body       text not null,
  blob       text not null,
  id         text not null generated always as (body ->> '$.id') stored,
  purpose    text not null generated always as (body ->> '$.purpose') stored,
  filename   text not null generated always as (body ->> '$.filename') virtual,
  expires_at integer generated always as (body ->> '$.expires_at') stored,
  unique (session, id)
) strict;
create index files_in_order on files (session, seq);
create index files_by_purpose on files (session, purpose, seq);
create index files_by_name on files (session, filename, seq);
create index files_to_expire on files (session, expires_at) where expires_at is not null;

create table uploads (
  seq        integer primary key,
  session    integer not null references sessions (key) on delete cascade,
  body       text not null,
  id         text not null generated always as (body ->> '$.id') stored,
  status     text not null generated always as (body ->> '$.status') stored,
  expires_at integer not null generated always as (body ->> '$.expires_at') stored,
  unique (session, id)
) strict;
create index uploads_to_expire on uploads (session, expires_at) where status = 'pending';

create table upload_parts (
  seq       integer primary key,
  session   integer not null,
  body      text not null,
  blob      text not null,
  bytes     integer not null,
  id        text not null generated always as (body ->> '$.id') stored,
  upload_id text not null generated always as (body ->> '$.upload_id') stored,
  unique (session, id),
  foreign key (session, upload_id) references uploads (session, id) on delete cascade
) strict;
create index upload_parts_in_order on upload_parts (session, upload_id, seq);

create table dead_blobs (
  name text primary key
) strict, without rowid;

create trigger a_part_goes after delete on upload_parts begin
  insert or ignore into dead_blobs values (old.blob);
end;

-- Which assistants and threads may have a file in the list of their code interpreter, so that the delete of a
-- file finds them. It is noted when a list names the file, and looked at once: a note too many harms nobody.
create table tool_files (
  session integer not null references sessions (key) on delete cascade,
  file_id text not null,
  owner   text not null,
  primary key (session, file_id, owner)
) strict, without rowid;

create trigger a_file_goes after delete on files begin
  insert or ignore into dead_blobs values (old.blob);
  delete from tool_files where session = old.session and file_id = old.id;
end;

create table vector_stores (
  -- Never used twice, because the words of the index are marked with it.
  seq        integer primary key autoincrement,
  session    integer not null references sessions (key) on delete cascade,
  body       text not null,
  -- How many chunks can be searched, and how many words they have.
  chunks     integer not null default 0,
  words      integer not null default 0,
  id         text not null generated always as (body ->> '$.id') stored,
  status     text not null generated always as (body ->> '$.status') stored,
  expires_at integer generated always as (body ->> '$.expires_at') stored,
  unique (session, id)
) strict;
create index vector_stores_in_order on vector_stores (session, seq);
create index vector_stores_to_expire on vector_stores (session, expires_at)
  where expires_at is not null and status <> 'expired';

create table vector_store_file_batches (
  seq             integer primary key,
  session         integer not null,
  body            text not null,
  id              text not null generated always as (body ->> '$.id') stored,
  vector_store_id text not null generated always as (body ->> '$.vector_store_id') stored,
  unique (session, id),
  foreign key (session, vector_store_id) references vector_stores (session, id) on delete cascade
) strict;
create index vector_store_file_batches_in_order on vector_store_file_batches (session, vector_store_id, seq);

create table vector_store_files (
  -- Never used twice, because chunks are numbered by it.
  seq             integer primary key autoincrement,
  session         integer not null,
  body            text not null,
  batch_id        text,
  -- Counts how often the file was taken up: what an earlier attempt still writes is not taken.
  attempt         integer not null default 0,
  chunks          integer not null default 0,
  words           integer not null default 0,
  id              text not null generated always as (body ->> '$.id') stored,
  vector_store_id text not null generated always as (body ->> '$.vector_store_id') stored,
  status          text not null generated always as (body ->> '$.status') stored,
  unique (session, vector_store_id, id),
  foreign key (session, vector_store_id) references vector_stores (session, id) on delete cascade,
  foreign key (session, id) references files (session, id) on delete cascade
) strict;
create index vector_store_files_in_order on vector_store_files (session, vector_store_id, seq);
create index vector_store_files_by_status on vector_store_files (session, vector_store_id, status, seq);
create index vector_store_files_of_file on vector_store_files (session, id);
create index vector_store_files_of_batch on vector_store_files (session, batch_id, seq) where batch_id is not null;
create index vector_store_files_under_way on vector_store_files (session, seq) where status = 'in_progress';

-- A piece of a file's text. Its key is the file's `seq`, shifted by 20 bits, and its number in the file.
create table chunks (
  key   integer primary key,
  -- Where in the text of the file it begins, in bytes.
  start integer not null,
  words integer not null,
  text  text not null
) strict;
-- A search asks for the lengths of thousands of chunks: here they are without their texts.
create index chunk_lengths on chunks (key, words);

-- The words of chunks, each marked with the store that it belongs to, so that a search sees nothing of other
-- stores. A word stands in the column that tells how often it occurs in the chunk. Only the index is kept.
create virtual table chunk_words using fts5 (
  once, twice, thrice, often, content = '', contentless_delete = 1, detail = column, tokenize = 'ascii'
);
-- Fewer, larger merges: files are made searchable in many small transactions.
insert into chunk_words (chunk_words, rank) values ('automerge', 8);
create virtual table chunk_terms using fts5vocab (chunk_words, instance);
create virtual table chunk_term_counts using fts5vocab (chunk_words, row);

create trigger a_chunk_goes after delete on chunks begin
  delete from chunk_words where rowid = old.key;
end;

-- What a file adds to the counts of its store and its batch, and takes away again.
create view tally as
  select 0 as session, '' as vector_store_id, '' as batch_id, '' as status, 0 as files, 0 as bytes, 0 as chunks, 0 as words;

create trigger a_file_is_counted instead of insert on tally begin
  update vector_stores set
    body = json_set(body,
      '$.file_counts.' || new.status, (body ->> ('$.file_counts.' || new.status)) + new.files,
      '$.file_counts.total', (body ->> '$.file_counts.total') + new.files,
      '$.usage_bytes', (body ->> '$.usage_bytes') + new.bytes),
    chunks = chunks + new.chunks,
    words = words + new.words
  where session = new.session and id = new.vector_store_id;
  update vector_stores
    set body = json_set(body, '$.status', iif(body ->> '$.file_counts.in_progress' > 0, 'in_progress', 'completed'))
    where session = new.session and id = new.vector_store_id and status <> 'expired';
  update vector_store_file_batches set
    body = json_set(body,
      '$.file_counts.' || new.status, (body ->> ('$.file_counts.' || new.status)) + new.files,
      '$.file_counts.total', (body ->> '$.file_counts.total') + new.files)
  where session = new.session and id = new.batch_id;
  update vector_store_file_batches
    set body = json_set(body, '$.status', case
      when body ->> '$.file_counts.in_progress' > 0 then 'in_progress'
      when body ->> '$.file_counts.cancelled' > 0 then 'cancelled'
      else 'completed' end)
    where session = new.session and id = new.batch_id;
end;

create trigger a_store_file_comes after insert on vector_store_files begin
  insert into tally values
    (new.session, new.vector_store_id, new.batch_id, new.status, 1, new.body ->> '$.usage_bytes', new.chunks, new.words);
end;

create trigger a_store_file_turns after update on vector_store_files
when old.status <> new.status or old.batch_id is not new.batch_id begin
  insert into tally values
    (old.session, old.vector_store_id, old.batch_id, old.status, -1, -(old.body ->> '$.usage_bytes'), -old.chunks, -old.words);
  insert into tally values
    (new.session, new.vector_store_id, new.batch_id, new.status, 1, new.body ->> '$.usage_bytes', new.chunks, new.words);
  delete from chunks where new.status <> 'completed' and key >= new.seq << 20 and key < (new.seq + 1) << 20;
end;

create trigger a_store_file_goes after delete on vector_store_files begin
  insert into tally values
    (old.session, old.vector_store_id, old.batch_id, old.status, -1, -(old.body ->> '$.usage_bytes'), -old.chunks, -old.words);
  delete from chunks where key >= old.seq << 20 and key < (old.seq + 1) << 20;
end;
