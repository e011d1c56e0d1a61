-- Every relation that can be a stream. Partitions are read through their parent, whose numbers are their sums.
SELECT
  c.oid,
  n.nspname AS schema,
  c.relname AS name,
  c.relkind::text AS kind,
  pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
  size.rows,
  size.size_bytes,
  pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS readable
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT
    -- reltuples is -1 (before PostgreSQL 14: 0 of 0 pages) where a table has never been analyzed
    pg_catalog.sum(p.reltuples) FILTER (WHERE p.reltuples > 0 OR p.reltuples = 0 AND p.relpages > 0)::bigint AS rows,
    pg_catalog.sum((p.relpages + coalesce(t.relpages, 0))::bigint
      * pg_catalog.current_setting('block_size')::bigint)::bigint AS size_bytes
  FROM (
    SELECT c.reltuples, c.relpages, c.reltoastrelid WHERE c.relkind <> 'p'
    UNION ALL
    SELECT leaf.reltuples, leaf.relpages, leaf.reltoastrelid
    FROM pg_catalog.pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) AS tree
    JOIN pg_catalog.pg_class AS leaf ON leaf.oid = tree.relid
    WHERE tree.isleaf
  ) AS p
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = p.reltoastrelid
) AS size
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname
