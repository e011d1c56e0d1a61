-- The ends of the server's histogram, as text, for the integer columns that are a key by themselves.
SELECT
  k.table_oid,
  s.bounds[1] AS lowest,
  s.bounds[pg_catalog.array_upper(s.bounds, 1)] AS highest
FROM ROWS FROM (
  pg_catalog.unnest(%(oids)s::oid[]), pg_catalog.unnest(%(keys)s::text[])
) AS k (table_oid, key)
JOIN pg_catalog.pg_class AS c ON c.oid = k.table_oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN (
  SELECT p.schemaname, p.tablename, p.attname, p.inherited, p.histogram_bounds::text::text[] AS bounds
  FROM pg_catalog.pg_stats AS p
  WHERE p.attname = ANY (%(keys)s::text[])
) AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = k.key AND s.inherited = (c.relkind = 'p')
