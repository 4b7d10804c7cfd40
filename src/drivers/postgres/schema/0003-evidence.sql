-- Rows are sealed part by part, and texts that may name somebody are kept beside the journal, where they can be erased.

alter table coulisse.journal add column seed text;

-- By pointer into the event: [salt, text]. What is taken out is unreadable for good; its hash stays in the journal.
create table coulisse.journal_text (
  maintenance text not null,
  seq integer not null,
  texts json not null,
  primary key (maintenance, seq)
);

-- Signed heads of the journal's tree, each extending the one before. Published, and never changed.
create table coulisse.tree_head (
  number integer primary key,
  head json not null,
  signature text not null
);
create trigger append_only before update or delete on coulisse.tree_head
  for each row execute function coulisse.refuse_change();
create trigger append_only_whole before truncate on coulisse.tree_head
  for each statement execute function coulisse.refuse_change();

-- Public keys that signed heads, in their order; each but the first named by the one before it.
create table coulisse.journal_key (
  number integer primary key,
  key json not null
);
create trigger append_only before update or delete on coulisse.journal_key
  for each row execute function coulisse.refuse_change();
create trigger append_only_whole before truncate on coulisse.journal_key
  for each statement execute function coulisse.refuse_change();
