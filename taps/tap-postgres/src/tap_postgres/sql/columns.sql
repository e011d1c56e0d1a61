-- Every column of the chosen relations, with the ends of the server's histogram for integer columns.
SELECT
  a.attrelid AS table_oid,
  a.attname AS name,
  a.atttypid AS type_oid,
  a.atttypmod AS typmod,
  a.attndims AS ndims,
  a.attnotnull AS not_null,
  pg_catalog.col_description(a.attrelid, a.attnum) AS comment,
  EXISTS (
    SELECT 1 FROM pg_catalog.pg_index AS i
    WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
  ) AS indexed,
  s.bounds[1] AS lowest,
  s.bounds[pg_catalog.array_upper(s.bounds, 1)] AS highest
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT p.histogram_bounds::text::text[] AS bounds
  FROM pg_catalog.pg_stats AS p
  WHERE p.schemaname = n.nspname AND p.tablename = c.relname AND p.attname = a.attname
    AND p.inherited = (c.relkind = 'p')
    AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
) AS s ON true
WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
