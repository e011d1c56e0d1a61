-- The types of the columns, and through domains and arrays the types that those rest on.
WITH RECURSIVE reached AS (
  SELECT t.* FROM pg_catalog.pg_type AS t WHERE t.oid = ANY (%(oids)s::oid[])
  UNION
  SELECT t.* FROM reached AS r JOIN pg_catalog.pg_type AS t ON t.oid IN (r.typbasetype, r.typelem)
)
SELECT
  r.oid,
  r.typname AS name,
  r.typtype::text AS kind,
  r.typbasetype AS base_oid,
  r.typtypmod AS base_typmod,
  r.typndims AS ndims,
  -- oidvector and int2vector look like arrays but start at 0; their text is the plain answer
  CASE WHEN r.typcategory = 'A' AND r.typlen = -1 AND r.typname NOT IN ('oidvector', 'int2vector')
    THEN r.typelem ELSE 0 END AS element_oid,
  n.nspname = 'pg_catalog' AS builtin
FROM reached AS r
JOIN pg_catalog.pg_namespace AS n ON n.oid = r.typnamespace
