-- Sessions that begin anew, and snapshots of them.
--
-- A session that is reset gives up its name and gets another row: that takes the same time whatever is in it. Its
-- objects go later, a few at a time. A snapshot is a session of its own that nobody can enter; it shares the contents
-- of files with the session it was taken of. The names of such sessions begin with '/', as no other name does.

create table snapshots (
  session    text not null,
  name       text not null,
  -- Where its objects are.
  key        integer not null references sessions (key),
  created_at integer not null,
  -- What is not an object: clock, ids, uses, added fixtures; as JSON.
  state      text not null,
  primary key (session, name)
) strict, without rowid;

-- Now that several rows can name one content, it goes with the last of them.
create index files_by_blob on files (blob);
create index upload_parts_by_blob on upload_parts (blob);

drop trigger a_file_goes;
create trigger a_file_goes after delete on files begin
  insert or ignore into dead_blobs select old.blob where not exists (select 1 from files where blob = old.blob);
  delete from tool_files where session = old.session and file_id = old.id;
end;

drop trigger a_part_goes;
create trigger a_part_goes after delete on upload_parts begin
  insert or ignore into dead_blobs select old.blob where not exists (select 1 from upload_parts where blob = old.blob);
end;
