-- The runs of a session, newest first, whatever threads they are in.

create index runs_of_session on runs (session, seq);
