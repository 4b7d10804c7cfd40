-- Signed samples of witnesses, each once, kept for some days.

create table coulisse.probe_sample (
  id text primary key,
  guest integer not null,
  from_ms double precision not null,
  to_ms double precision not null,
  -- How far the witness's clock was ahead of ours; null where the samples had waited and nobody knows.
  ahead_ms double precision,
  chunk json not null
);
create index probe_sample_guest on coulisse.probe_sample (guest, from_ms);
create index probe_sample_age on coulisse.probe_sample (to_ms);
