-- Responses and conversations, which follow Assistants on the same fixtures.

create table conversations (
  seq     integer primary key,
  session integer not null references sessions (key) on delete cascade,
  body    text not null,
  -- The number of the question that was answered last.
  turn    integer not null default 0,
  -- The number of its newest item. Numbers are never used twice.
  last    integer not null default 0,
  id      text not null generated always as (body ->> '$.id') stored,
  unique (session, id)
) strict;

create table conversation_items (
  seq             integer primary key,
  session         integer not null,
  conversation_id text not null,
  -- Its place in the conversation, from 1.
  number          integer not null,
  body            text not null,
  id              text not null generated always as (body ->> '$.id') stored,
  unique (session, conversation_id, id),
  foreign key (session, conversation_id) references conversations (session, id) on delete cascade
) strict;
create index conversation_items_in_order on conversation_items (session, conversation_id, seq);
create index conversation_items_by_number on conversation_items (session, conversation_id, number);
create index conversation_items_by_id on conversation_items (session, id);

create table responses (
  seq         integer primary key,
  session     integer not null references sessions (key) on delete cascade,
  body        text not null,
  -- The number of its question in its chain or conversation.
  turn        integer not null,
  -- What a restart must know to go on with it: once, and as it went on. Null once it has ended.
  setting     text,
  performance text,
  -- The events of its stream, if they can be asked for again.
  stream      text,
  id          text not null generated always as (body ->> '$.id') stored,
  status      text not null generated always as (body ->> '$.status') stored,
  previous_id text generated always as (body ->> '$.settings.previous_response_id') stored,
  unique (session, id)
) strict;
create index responses_of_session on responses (session, seq);
-- What a restart has to take up.
create index open_responses on responses (session, seq) where setting is not null;

-- What a response was given to read, and what it has answered.
create table response_items (
  seq         integer primary key,
  session     integer not null,
  response_id text not null,
  is_output   integer not null,
  body        text not null,
  id          text not null generated always as (body ->> '$.id') stored,
  foreign key (session, response_id) references responses (session, id) on delete cascade
) strict;
create index response_items_in_order on response_items (session, response_id, seq);
create index response_items_by_id on response_items (session, id);

-- How a reply goes on once the output of a call is there.
create table continuations (
  seq     integer primary key,
  session integer not null references sessions (key) on delete cascade,
  id      text not null,
  body    text not null,
  unique (session, id)
) strict;
