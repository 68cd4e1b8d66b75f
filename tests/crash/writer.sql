-- What the application does while its database is being migrated, a line each: statements between `~~` are
-- transactions of their own, and together they change nothing. Those that are not possible in the schema of a case,
-- before or after it, are left out of it.
UPDATE users SET name = name || '~' WHERE id = 1 ~~ UPDATE users SET name = substr(name, 1, length(name) - 1) WHERE id = 1
UPDATE users SET age = age + 1 WHERE id = 9 ~~ UPDATE users SET age = age - 1 WHERE id = 9
UPDATE users SET email = 'moved@example.org' WHERE id = 5 ~~ UPDATE users SET email = 'cleo@example.org' WHERE id = 5
UPDATE users SET old_field = NULL WHERE id = 5 ~~ UPDATE users SET old_field = 'y;z' WHERE id = 5
INSERT INTO users (id, name) VALUES (3, 'Zed') ~~ DELETE FROM users WHERE id = 3 ~~ DELETE FROM log WHERE what = 'user Zed gone'
UPDATE orders SET status = 'paid' WHERE id IN (6, 7) ~~ UPDATE orders SET status = NULL WHERE id IN (6, 7)
UPDATE orders SET amount = '11.25' WHERE id IN (6, 7) ~~ UPDATE orders SET amount = '0.25' WHERE id IN (6, 7)
UPDATE orders SET note = 'changed' WHERE id IN (6, 7) ~~ UPDATE orders SET note = 3.5 WHERE id IN (6, 7)
UPDATE orders SET id = 6 WHERE id = 7 ~~ UPDATE orders SET id = 7 WHERE id = 6
INSERT INTO orders (id, user_id, amount, status) VALUES (3, 2, '1', 'open') ~~ DELETE FROM orders WHERE id = 3 ~~ DELETE FROM log WHERE what = 'order 3'
INSERT INTO tags (rowid, label, weight) VALUES (2, 'new', 1.5) ~~ DELETE FROM tags WHERE rowid = 2
UPDATE tags SET weight = 9.5 WHERE rowid = 1 ~~ UPDATE tags SET weight = 1.0 WHERE rowid = 1
UPDATE tags SET label = 'blue' WHERE rowid = 3 ~~ UPDATE tags SET label = 'red' WHERE rowid = 3
INSERT INTO order_tags (order_id, label, rank) VALUES (7, 'z', 1) ~~ DELETE FROM order_tags WHERE order_id = 7 AND label = 'z'
UPDATE order_tags SET rank = rank + 10 WHERE label = 'a' ~~ UPDATE order_tags SET rank = rank - 10 WHERE label = 'a'
UPDATE order_tags SET label = 'bb' WHERE label = 'b' ~~ UPDATE order_tags SET label = 'b' WHERE label = 'bb'
INSERT INTO points (rowid, x, y, label) VALUES (9, 7, 7, 't') ~~ DELETE FROM points WHERE rowid = 9
UPDATE points SET x = x + 10 WHERE rowid = 1 ~~ UPDATE points SET x = x - 10 WHERE rowid = 1
UPDATE points SET y = 4 WHERE rowid = 2 ~~ UPDATE points SET y = NULL WHERE rowid = 2
UPDATE t SET c = 'w' WHERE a = 1 ~~ UPDATE t SET c = 'y' WHERE a = 1
UPDATE t SET b = b + 10 WHERE a = 2 ~~ UPDATE t SET b = b - 10 WHERE a = 2
INSERT INTO kept (x) VALUES (1) ~~ DELETE FROM kept
