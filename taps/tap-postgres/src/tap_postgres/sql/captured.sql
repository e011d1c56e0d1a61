-- What change data capture must know of tables: shape, identity, partitions.
SELECT
  c.oid,
  n.nspname AS schema,
  c.relname AS name,
  c.relkind::text AS kind,
  c.relpersistence::text AS persistence,
  c.relreplident::text AS identity,
  coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) AS filenode,
  coalesce((
    SELECT pg_catalog.array_agg(a.attname::text)
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
      AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
  ), '{}') AS identity_columns,
  (
    SELECT pg_catalog.jsonb_agg(k.names) FROM pg_catalog.pg_index AS i
    CROSS JOIN LATERAL (
      SELECT pg_catalog.array_agg(a.attname::text) AS names FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
    ) AS k
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL
  ) AS immediate_keys,
  coalesce((
    SELECT pg_catalog.array_agg(t.relid::oid) FROM pg_catalog.pg_partition_tree(c.oid) AS t
    WHERE c.relkind = 'p' AND t.isleaf
  ), '{}') AS leaves,
  (
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'number', a.attnum, 'name', a.attname, 'type_oid', a.atttypid::bigint, 'typmod', a.atttypmod,
      'ndims', a.attndims, 'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'generated', a.attgenerated <> '',
      'written', a.xmin::text::bigint,
      'filled', a.attnotnull OR a.atthasmissing OR a.atthasdef OR a.attidentity <> ''
    ) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS columns
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN ROWS FROM (
  pg_catalog.unnest(%(names)s::text[]), pg_catalog.unnest(%(schemas)s::text[])
) AS asked (name, schema)
  ON asked.name = c.relname AND asked.schema = n.nspname
