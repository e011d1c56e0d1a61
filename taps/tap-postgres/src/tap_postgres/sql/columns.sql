-- Every column of the chosen relations.
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
  ) AS indexed
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
