-- What refers to what, by name.
SELECT
  f.conrelid AS table_oid,
  own.names AS columns,
  rn.nspname AS ref_schema,
  rc.relname AS ref_name,
  ref.names AS referred
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS rc ON rc.oid = f.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = rc.relnamespace
CROSS JOIN LATERAL (
  SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.position) AS names
  FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
) AS own
CROSS JOIN LATERAL (
  SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.position) AS names
  FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
) AS ref
WHERE f.contype = 'f' AND f.conrelid = ANY (%(oids)s::oid[]) AND NOT rc.relispartition
ORDER BY f.conrelid, f.conname
