CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<100000)
INSERT INTO t SELECT i, 'name ' || i, i * 7 % 1000 FROM c;
CREATE INDEX byn ON t(n);
SELECT count(*), sum(n), min(name), max(name) FROM t;
SELECT count(*) FROM t WHERE n = 7;
UPDATE t SET name = upper(name) WHERE id % 1000 = 0;
SELECT count(*) FROM t WHERE name LIKE 'NAME %' AND name = upper(name);
DELETE FROM t WHERE id > 50000;
SELECT count(*), max(id) FROM t;
