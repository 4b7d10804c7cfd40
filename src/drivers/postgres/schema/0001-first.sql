-- Journal, documents, and what the saga engine keeps besides DBOS's own tables (schema dbos).
-- Columns of type json, not jsonb: jsonb refuses \u0000 and lone surrogates, and what consoles print holds both.

create table coulisse.journal (
  id bigint primary key,
  maintenance text not null,
  seq integer not null,
  key text not null,
  at_ms double precision not null,
  event json not null,
  prev_hash text not null,
  hash text not null,
  unique (maintenance, seq),
  unique (maintenance, key)
);

create function coulisse.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the journal is append-only: % refused', lower(tg_op);
end
$$;

create trigger append_only before update or delete on coulisse.journal
  for each row execute function coulisse.refuse_change();
create trigger append_only_whole before truncate on coulisse.journal
  for each statement execute function coulisse.refuse_change();

create table coulisse.document (
  key text primary key,
  value json not null,
  updated_at timestamptz not null default now()
);

create table coulisse.saga (
  id text primary key,
  root_id text not null,
  parent_id text references coulisse.saga,
  -- Children of one fan-out share it, and are counted from 1 in it.
  fan_out integer,
  place integer,
  fan_out_limit integer,
  definition text not null,
  input json not null,
  cursors json not null default '{}',
  status text not null default 'running' check (status in ('running', 'ended', 'crashed')),
  result json,
  text text,
  -- A person has taken over: it never runs again, and its keys are free.
  released_at timestamptz,
  made_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index saga_siblings on coulisse.saga (parent_id, fan_out, place);
create index saga_running on coulisse.saga (id) where status = 'running';

create table coulisse.saga_key (
  key text primary key,
  saga_id text not null references coulisse.saga
);

create table coulisse.saga_message (
  root_id text not null references coulisse.saga,
  seq integer not null,
  topic text not null,
  key text not null,
  message json not null,
  sent_at timestamptz not null default clock_timestamp(),
  primary key (root_id, seq),
  unique (root_id, key)
);
