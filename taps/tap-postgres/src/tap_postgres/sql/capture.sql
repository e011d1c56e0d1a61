-- What change data capture needs of the server, as one JSON object: columns that a version lacks are simply not there.
SELECT pg_catalog.jsonb_build_object(
  'version', pg_catalog.current_setting('server_version_num')::int,
  'wal_level', pg_catalog.current_setting('wal_level'),
  'role', current_user,
  'database', pg_catalog.current_database(),
  'superuser', r.rolsuper,
  'may_replicate', r.rolreplication OR r.rolsuper OR EXISTS (
    -- where the vendor runs the server, membership stands for the attribute
    SELECT 1 FROM pg_catalog.pg_roles AS v
    WHERE v.rolname IN ('rds_replication', 'azure_pg_admin', 'cloudsqlsuperuser')
      AND pg_catalog.pg_has_role(current_user, v.oid, 'MEMBER')
  ),
  'may_create', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
  'is_replica', pg_catalog.pg_is_in_recovery(),
  'slots', pg_catalog.current_setting('max_replication_slots')::int,
  'slots_used', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
  'senders', pg_catalog.current_setting('max_wal_senders')::int,
  'max_kept', pg_catalog.current_setting('max_slot_wal_keep_size', true),
  -- what was committed asynchronously is not flushed yet, and belongs to this run all the same
  'tip', (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
    ELSE pg_catalog.pg_current_wal_insert_lsn() END)::text,
  'page_bytes', pg_catalog.current_setting('wal_block_size')::int,
  'segment_bytes', pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
  'slot', (
    SELECT pg_catalog.to_jsonb(s) || pg_catalog.jsonb_build_object('kept_bytes', pg_catalog.pg_wal_lsn_diff(
      CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE pg_catalog.pg_current_wal_flush_lsn() END, s.restart_lsn))
    FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = %(slot)s
  ),
  'publication', (SELECT pg_catalog.to_jsonb(p) FROM pg_catalog.pg_publication AS p WHERE p.pubname = %(publication)s),
  'published', (
    SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t)) FROM pg_catalog.pg_publication_tables AS t
    WHERE t.pubname = %(publication)s
  ),
  'memberships', (
    SELECT pg_catalog.jsonb_object_agg(m.prrelid::oid, m.oid::bigint) FROM pg_catalog.pg_publication_rel AS m
    JOIN pg_catalog.pg_publication AS p ON p.oid = m.prpubid WHERE p.pubname = %(publication)s
  ),
  'money_digits', pg_catalog.scale('0'::money::numeric)
)
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
