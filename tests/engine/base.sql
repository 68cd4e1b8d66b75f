CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL, -- as it is spoken
  email TEXT COLLATE NOCASE,
  age INTEGER DEFAULT 18 CHECK (age >= 0),
  old_field TEXT,
  CONSTRAINT users_email_key UNIQUE (email)
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  amount TEXT NOT NULL DEFAULT '0',
  note,
  status TEXT
);
CREATE TABLE tags (label TEXT, weight REAL);
CREATE TABLE order_tags (
  order_id INTEGER NOT NULL,
  label TEXT NOT NULL,
  rank INTEGER,
  PRIMARY KEY (order_id, label)
) WITHOUT ROWID;
CREATE TABLE points (x INTEGER NOT NULL, y INTEGER, label TEXT) STRICT;
CREATE TABLE log (what TEXT);
CREATE INDEX users_name_idx ON users (name);
CREATE UNIQUE INDEX orders_pair ON orders (user_id, id DESC);
CREATE INDEX idx_old_index ON users (old_field) WHERE old_field IS NOT NULL;
CREATE INDEX points_sum ON points (x + y);
CREATE VIEW adults AS SELECT id, name, email FROM users WHERE age >= 18;
CREATE TRIGGER orders_log AFTER INSERT ON orders BEGIN INSERT INTO log VALUES ('order ' || new.id); END;
CREATE TRIGGER users_gone AFTER DELETE ON users BEGIN INSERT INTO log VALUES ('user ' || old.name || ' gone'); END;

INSERT INTO users (id, name, email, age, old_field) VALUES
  (1, 'Ada', 'ada@example.org', 36, 'x'),
  (2, 'Bob', NULL, 17, NULL),
  (5, 'Cléo', 'cleo@example.org', NULL, 'y;z'),
  (9, 'Dan', 'dan@example.org', 40, ''),
  (12, 'Eve', NULL, 0, NULL);
DELETE FROM users WHERE id = 12;
INSERT INTO orders (id, user_id, amount, note, status) VALUES
  (1, 1, '10.50', x'00ff', 'open'),
  (2, 1, '7', NULL, 'paid'),
  (7, 5, '0.25', 3.5, NULL),
  (8, 9, '100', 'it''s', 'open');
INSERT INTO tags (rowid, label, weight) VALUES (1, 'red', 1.0), (4, NULL, 2.5), (3, 'red', NULL);
INSERT INTO order_tags VALUES (1, 'b', 2), (1, 'a', 1), (7, 'ü', NULL);
INSERT INTO points VALUES (1, 2, 'p'), (3, NULL, NULL), (1, 2, 'q');
