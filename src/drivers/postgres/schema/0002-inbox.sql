-- What others sent us and the watch has not read yet. Rows go when the state that holds what came of them is stored.

create table coulisse.inbox (
  id bigint generated always as identity primary key,
  topic text not null,
  -- The same key while it waits is the same message, however often it is sent.
  key text not null,
  message json not null,
  arrived_at timestamptz not null default now(),
  unique (topic, key)
);
create index inbox_order on coulisse.inbox (topic, id);
