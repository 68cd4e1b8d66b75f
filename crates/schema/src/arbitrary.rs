//! Random schemas for tests: the same for the same seed, valid on SQLite, and full of what is hard to get right (names
//! with spaces, quotes, keywords and letters outside ASCII; cyclic, composite and implicit foreign keys; generated
//! columns; partial and expression indexes; STRICT, WITHOUT ROWID, AUTOINCREMENT; views of views and their triggers).
//!
//! What is declared accepts ordinary rows: a foreign key starts from nullable columns, a CHECK fails for odd values only.

use crate::{
    Action, Column, Constraint, ConstraintKind, DataType, Deferrable, Expr, ForeignKey, Generated, Index,
    IndexPart, KeyPart, NameRule, ObjectName, PrimaryKey, Schema, SortOrder, Table, Trigger, Unique, View,
};

const TABLES: &[&str] =
    &["users", "orders", "order", "Order Lines", "straße", "t\"x", "group", "журнал", "items"];
const COLUMNS: &[&str] = &[
    "id",
    "name",
    "e mail",
    "order",
    "größe",
    "a\"b",
    "total",
    "CreatedAt",
    "status",
    "index",
    "end",
    "case",
    "note",
];

/// A schema of up to nine tables.
pub fn random_schema(seed: u64) -> Schema {
    related_schema(seed, seed)
}

/// Two schemas that share names, and in part whole tables.
pub fn random_pair(seed: u64) -> (Schema, Schema) {
    let other = Random(seed).next();
    (random_schema(seed), related_schema(seed, other))
}

/// A schema whose tables are those of [`random_schema`] for one of the seeds, chosen for each.
fn related_schema(seed: u64, other: u64) -> Schema {
    let mut choice = Random(other ^ 0x5eed);
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    let mut sources = Vec::new();
    for (at, name) in (0u64..).zip(TABLES) {
        let seed = if choice.one_in(3) { other } else { seed };
        let mut random = Random(seed.wrapping_mul(31).wrapping_add(at));
        if random.one_in(3) {
            continue;
        }
        let table = random.table(name);
        schema.tables.insert(table.name.clone(), table);
        sources.push(random);
    }
    let names: Vec<ObjectName> = TABLES.iter().map(|name| ObjectName::new(*name)).collect();
    let names: Vec<ObjectName> =
        names.iter().filter_map(|name| schema.table(name).map(|table| table.name.clone())).collect();
    for (name, random) in names.iter().zip(&mut sources) {
        random.foreign_keys(&mut schema, name);
        random.indexes(&mut schema, name);
    }
    choice.views(&mut schema, &names);
    choice.triggers(&mut schema);
    schema
}

/// A small generator of random numbers: a counter and a mixing function.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a count fits 64 bits");
        usize::try_from(self.next() % bound).expect("it is smaller than a count")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A few different ones, in a random order.
    fn some<T: Clone>(&mut self, from: &[T], most: usize) -> Vec<T> {
        let mut left = from.to_vec();
        let mut chosen = Vec::new();
        for _ in 0..=self.below(most) {
            if !left.is_empty() {
                chosen.push(left.remove(self.below(left.len())));
            }
        }
        chosen
    }

    /// The name, at times in capitals: that is the same name.
    fn spelled(&mut self, name: &str) -> String {
        if self.one_in(12) { name.to_ascii_uppercase() } else { name.to_owned() }
    }

    fn table(&mut self, name: &str) -> Table {
        let mut table = Table::new(self.spelled(name).as_str());
        table.options.strict = self.one_in(5);
        for _ in 0..2 + self.below(5) {
            let name = *self.pick(COLUMNS);
            if table.column(name, NameRule::AsciiInsensitive).is_none() {
                let column = self.column(name, &table);
                table.columns.push(column);
            }
        }
        self.primary_key(&mut table);
        for _ in 0..self.below(3) {
            self.unique(&mut table);
        }
        for _ in 0..self.below(3) {
            self.check(&mut table);
        }
        table
    }

    fn column(&mut self, name: &str, table: &Table) -> Column {
        let strict = [DataType::Integer, DataType::Text, DataType::Bytes];
        let any = [
            DataType::Integer,
            DataType::BigInt,
            DataType::Text,
            DataType::Varchar(Some(20)),
            DataType::Double,
            DataType::Boolean,
            DataType::Timestamp,
            DataType::Decimal(Some(10), Some(2)),
            DataType::Bytes,
            DataType::Json,
        ];
        let data_type = self.pick(if table.options.strict { &strict[..] } else { &any[..] }).clone();
        let mut column = Column::new(self.spelled(name), data_type);
        let sources: Vec<&Column> = table.columns.iter().collect();
        if !sources.is_empty() && self.one_in(6) {
            let of = sql(&self.pick(&sources).name);
            let and = sql(&self.pick(&sources).name);
            column.data_type = DataType::Integer;
            let expr = if self.one_in(2) {
                format!("length({of})")
            } else {
                format!("length({of}) + length({and})")
            };
            column.generated = Some(Generated { expr: Expr::new(expr), stored: self.one_in(2) });
            return column;
        }
        if self.one_in(2) {
            let default = match &column.data_type {
                DataType::Integer | DataType::BigInt => *self.pick(&["0", "-1", "1 + 2"]),
                DataType::Double | DataType::Decimal(..) => *self.pick(&["0", "1.5"]),
                DataType::Boolean => *self.pick(&["TRUE", "FALSE"]),
                DataType::Timestamp => "CURRENT_TIMESTAMP",
                DataType::Bytes => "x'00ff'",
                _ => *self.pick(&["'x'", "'it''s; -- \"so\"'", "''"]),
            };
            column.default = Some(Expr::new(default));
        }
        column.not_null = self.one_in(3);
        if matches!(column.data_type, DataType::Text) && self.one_in(4) {
            column.collation = Some("NOCASE".to_owned());
        }
        column
    }

    fn primary_key(&mut self, table: &mut Table) {
        let plain = names(table, |column| column.generated.is_none());
        let integers =
            names(table, |column| column.data_type == DataType::Integer && column.generated.is_none());
        let (columns, autoincrement) = match self.below(6) {
            0 => return,
            1..=3 if !integers.is_empty() => {
                (vec![self.pick(&integers).clone()], !self.one_in(3) && !table.options.strict)
            }
            _ => (self.some(&plain, 2), false),
        };
        table.options.without_rowid = !autoincrement && self.one_in(4);
        let kind = ConstraintKind::PrimaryKey(PrimaryKey {
            columns: columns.into_iter().map(KeyPart::new).collect(),
            autoincrement,
            on_conflict: None,
        });
        let name = self.one_in(4).then(|| format!("{} pk", table.name.name));
        table.constraints.push(Constraint { name, ..Constraint::unnamed(kind) });
    }

    fn unique(&mut self, table: &mut Table) {
        let plain = names(table, |column| column.generated.is_none());
        let columns = self.some(&plain, 2);
        if columns.is_empty() || table.has_key([], &columns, NameRule::AsciiInsensitive) {
            return;
        }
        let unique = Unique {
            columns: columns.into_iter().map(KeyPart::new).collect(),
            nulls_not_distinct: false,
            on_conflict: None,
            deferrable: None,
        };
        self.add(table, ConstraintKind::Unique(unique), &["uq", "only \"one\""]);
    }

    fn check(&mut self, table: &mut Table) {
        let of = sql(&self.pick(&names(table, |_| true)).clone());
        let expr = match self.below(4) {
            0 => format!("length({of}) < 1000"),
            1 => format!("{of} IS NULL OR {of} <> 'CASE WHEN'"),
            2 => format!("CASE WHEN {of} = 'end' THEN 0 ELSE 1 END"),
            _ => format!("coalesce({of}, 1) <> -12345"),
        };
        self.add(table, ConstraintKind::Check { expr: Expr::new(expr) }, &["check", "ck 1"]);
    }

    /// Adds a constraint, under one of the names if it is free.
    fn add(&mut self, table: &mut Table, kind: ConstraintKind, among: &[&str]) {
        let name = Some((*self.pick(among)).to_owned());
        let taken = table.constraints.iter().any(|other| other.name == name);
        let name = name.filter(|_| !taken && self.one_in(2));
        table.constraints.push(Constraint { name, ..Constraint::unnamed(kind) });
    }

    fn foreign_keys(&mut self, schema: &mut Schema, name: &ObjectName) {
        let key_columns = |constraint: &Constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_) => {
                constraint.columns().into_iter().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let keys: Vec<(ObjectName, bool, Vec<String>)> = schema
            .constraints()
            .map(|(table, constraint)| {
                (table.name.clone(), constraint.is_primary_key(), key_columns(constraint))
            })
            .filter(|(_, _, columns)| !columns.is_empty())
            .collect();
        for _ in 0..self.below(3) {
            let Some(mut table) = schema.tables.get(name).cloned() else { return };
            let primary: Vec<String> = table
                .primary_key()
                .map_or_else(Vec::new, |key| key.columns.iter().map(|part| part.column.clone()).collect());
            let free = names(&table, |column| {
                column.generated.is_none() && !column.not_null && !primary.contains(&column.name)
            });
            if keys.is_empty() {
                return;
            }
            let (parent, is_primary, referenced) = self.pick(&keys).clone();
            let mut columns = self.some(&free, 3);
            if columns.len() < referenced.len() {
                continue;
            }
            columns.truncate(referenced.len());
            let actions = [
                Action::NoAction,
                Action::Restrict,
                Action::Cascade,
                Action::SetNull(vec![]),
                Action::SetDefault(vec![]),
            ];
            let key = ForeignKey {
                columns,
                table: parent,
                referenced: if is_primary && self.one_in(2) { Vec::new() } else { referenced },
                on_delete: self.pick(&actions).clone(),
                on_update: self.pick(&actions).clone(),
                matching: None,
                deferrable: self.one_in(3).then_some(Deferrable::Deferred),
            };
            self.add(&mut table, ConstraintKind::ForeignKey(key), &["fk", "belongs to"]);
            schema.tables.insert(name.clone(), table);
        }
    }

    fn indexes(&mut self, schema: &mut Schema, name: &ObjectName) {
        for number in 0..self.below(4) {
            let Some(table) = schema.tables.get(name) else { return };
            let all = names(table, |_| true);
            let parts = self.some(&all, 3).into_iter().map(|column| self.index_part(&column)).collect();
            let of = sql(&self.pick(&all).clone());
            let predicate = self.one_in(3).then(|| Expr::new(format!("{of} IS NOT NULL")));
            let label = if self.one_in(2) { "ix" } else { "in dex" };
            let index = Index {
                name: ObjectName::new(format!("{} {label} {number}", name.name.to_lowercase())),
                table: ObjectName::new(self.spelled(&name.name)),
                unique: self.one_in(8),
                method: None,
                parts,
                include: Vec::new(),
                nulls_not_distinct: false,
                predicate,
                with: None,
            };
            schema.indexes.insert(index.name.clone(), index);
        }
    }

    fn index_part(&mut self, column: &str) -> IndexPart {
        let mut part = IndexPart::column(column);
        if self.one_in(4) {
            part.expr = Expr::new(format!("lower({})", sql(column)));
            part.column = None;
        }
        if self.one_in(4) {
            part.order = SortOrder::Desc;
        }
        if self.one_in(6) {
            part.collation = Some("NOCASE".to_owned());
        }
        part
    }

    fn views(&mut self, schema: &mut Schema, tables: &[ObjectName]) {
        if tables.is_empty() {
            return;
        }
        for number in 0..self.below(4) {
            let Some(table) = schema.tables.get(self.pick(tables)) else { return };
            let of = sql(&table.name.name);
            let column = sql(&self.pick(&names(table, |_| true)).clone());
            let earlier: Vec<String> = schema.views.keys().map(|view| sql(&view.name)).collect();
            let query = match self.below(4) {
                0 if !earlier.is_empty() => format!("SELECT * FROM {}", self.pick(&earlier)),
                1 => format!(
                    "SELECT x.{column} AS \"the order\" FROM {of} AS x WHERE x.{column} <> 'from users'"
                ),
                2 => format!("SELECT count(*) AS n FROM {of} a JOIN {of} b ON a.{column} = b.{column}"),
                _ => format!("SELECT {column}, 1 AS one FROM {of}"),
            };
            let name = ObjectName::new(format!("view {number}"));
            let view = View {
                name: name.clone(),
                columns: Vec::new(),
                query: Expr::statement(query),
                materialized: false,
            };
            schema.views.insert(name, view);
        }
    }

    fn triggers(&mut self, schema: &mut Schema) {
        let tables: Vec<&Table> = schema.tables.values().collect();
        let views: Vec<&View> = schema.views.values().collect();
        let mut triggers = Vec::new();
        for number in 0..self.below(4) {
            if tables.is_empty() {
                break;
            }
            let (watched, other) = (*self.pick(&tables), *self.pick(&tables));
            let column = sql(&self.pick(&names(watched, |_| true)).clone());
            let body = format!("DELETE FROM {} WHERE 0;", sql(&other.name.name));
            let name = format!("trigger {number}");
            let header = format!("CREATE TRIGGER {}", sql(&name));
            let (table, definition) = match self.below(3) {
                0 if !views.is_empty() => {
                    let view = self.pick(&views).name.clone();
                    let on = sql(&view.name);
                    (view, format!("{header} INSTEAD OF INSERT ON {on} BEGIN {body} END"))
                }
                1 => {
                    let on = sql(&watched.name.name);
                    let text = format!(
                        "{header} AFTER UPDATE OF {column} ON {on} WHEN NEW.{column} IS NOT OLD.{column} BEGIN {body} END"
                    );
                    (watched.name.clone(), text)
                }
                _ => {
                    let on = sql(&watched.name.name);
                    (
                        watched.name.clone(),
                        format!("{header} AFTER DELETE ON {on} BEGIN SELECT OLD.{column}; {body} END"),
                    )
                }
            };
            triggers.push(Trigger {
                name: ObjectName::new(name),
                table,
                definition: Expr::statement(definition),
            });
        }
        schema.triggers.extend(triggers.into_iter().map(|trigger| (trigger.name.clone(), trigger)));
    }
}

fn names(table: &Table, which: impl Fn(&Column) -> bool) -> Vec<String> {
    table.columns.iter().filter(|column| which(column)).map(|column| column.name.clone()).collect()
}

fn sql(name: &str) -> String {
    crate::expr::sql_name(name)
}
