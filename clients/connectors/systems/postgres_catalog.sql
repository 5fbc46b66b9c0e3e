-- Columns of the relations of one schema ($1), all or those named ($2: text[] or null), with what is known of each.
-- Domains are followed down to their base type; `elem` is the element type of a true array.
SELECT c.oid::bigint AS oid,
       c.relname::text AS relation,
       c.relkind::text AS kind,
       obj_description(c.oid, 'pg_class') AS relation_doc,
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid) AS has_children,
       a.attname::text AS name,
       base.nspname::text AS type_schema,
       base.typname::text AS type_name,
       base.typtype = 'e' AS is_enum,
       elem.typname::text AS elem_name,
       elem.typtype = 'e' AS elem_is_enum,
       a.attnotnull AS not_null,
       a.attidentity <> '' AS identity,
       a.attgenerated <> '' AS generated,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default_expr,
       has_column_privilege(c.oid, a.attnum, 'UPDATE') OR has_column_privilege(c.oid, a.attnum, 'INSERT') AS writable,
       col_description(c.oid, a.attnum) AS doc,
       keyed.is_primary,
       keyed.is_unique
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 CROSS JOIN LATERAL (
       WITH RECURSIVE steps AS (
              SELECT ty.oid, ty.typname, ty.typtype, ty.typbasetype, ty.typnamespace
                FROM pg_type ty WHERE ty.oid = a.atttypid
               UNION ALL
              SELECT ty.oid, ty.typname, ty.typtype, ty.typbasetype, ty.typnamespace
                FROM pg_type ty JOIN steps ON steps.typtype = 'd' AND ty.oid = steps.typbasetype)
       SELECT steps.oid, steps.typname, steps.typtype, tn.nspname
         FROM steps JOIN pg_namespace tn ON tn.oid = steps.typnamespace
        WHERE steps.typtype <> 'd') AS base
  LEFT JOIN pg_type elem ON elem.typarray = base.oid
 CROSS JOIN LATERAL (
       SELECT coalesce(bool_or(i.indisprimary), false) AS is_primary, count(*) > 0 AS is_unique
         FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) AS keyed
 WHERE n.nspname = $1
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND ($2::text[] IS NULL OR c.relname = ANY ($2::text[]))
 ORDER BY c.relname, a.attnum
