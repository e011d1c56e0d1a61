-- Keys that name a row: the primary key first, else unique keys over NOT NULL columns, the shortest first.
SELECT
  i.indrelid AS table_oid,
  k.columns
FROM pg_catalog.pg_index AS i
CROSS JOIN LATERAL (
  SELECT
    pg_catalog.array_agg(a.attname::text ORDER BY key.position) AS columns,
    pg_catalog.bool_and(a.attnotnull) AS not_null
  FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS key (attnum, position)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = key.attnum
  WHERE key.position <= i.indnkeyatts
) AS k
WHERE i.indrelid = ANY (%(oids)s::oid[])
  AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.not_null
ORDER BY i.indrelid, i.indisprimary DESC, pg_catalog.cardinality(k.columns), i.indexrelid
