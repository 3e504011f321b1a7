-- The threads of a session, newest first.

create index threads_of_session on threads (session, seq);
