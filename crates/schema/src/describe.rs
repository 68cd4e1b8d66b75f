//! What an operation is, in words and as data: for messages, result columns and the search for what it touches.

use std::fmt;

use crate::{ConstraintKind, DataType, MigrationOp, ObjectName, ObjectRef, Schema, Table, quote_ident};

impl MigrationOp {
    /// What it does, in two or three words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateTable { .. } => "create table",
            Self::DropTable { .. } => "drop table",
            Self::RenameTable { .. } => "rename table",
            Self::SetTableOptions { .. } => "set table options",
            Self::AddColumn { .. } => "add column",
            Self::DropColumn { .. } => "drop column",
            Self::RenameColumn { .. } => "rename column",
            Self::ChangeColumnType { .. } => "change column type",
            Self::SetNotNull { .. } => "set not null",
            Self::DropNotNull { .. } => "drop not null",
            Self::SetDefault { .. } => "set default",
            Self::DropDefault { .. } => "drop default",
            Self::SetColumnOptions { .. } => "set column options",
            Self::AddIndex { .. } => "add index",
            Self::DropIndex { .. } => "drop index",
            Self::RenameIndex { .. } => "rename index",
            Self::AddConstraint { .. } => "add constraint",
            Self::DropConstraint { .. } => "drop constraint",
            Self::RenameConstraint { .. } => "rename constraint",
            Self::CreateView { .. } => "create view",
            Self::DropView { .. } => "drop view",
            Self::Execute { .. } => "execute",
        }
    }

    /// What it is about, under the names it uses; the new name of a rename comes second.
    pub fn objects(&self) -> Vec<ObjectRef> {
        let column = |table: &ObjectName, column: &str| ObjectRef::Column(table.clone(), column.to_owned());
        let constraint =
            |table: &ObjectName, name: &str| ObjectRef::Constraint(table.clone(), name.to_owned());
        match self {
            Self::CreateTable { table } => vec![ObjectRef::Table(table.name.clone())],
            Self::DropTable { table } | Self::SetTableOptions { table, .. } => {
                vec![ObjectRef::Table(table.clone())]
            }
            Self::RenameTable { from, to } => {
                vec![ObjectRef::Table(from.clone()), ObjectRef::Table(to.clone())]
            }
            Self::AddColumn { table, column: new, .. } => vec![column(table, &new.name)],
            Self::RenameColumn { table, from, to } => vec![column(table, from), column(table, to)],
            Self::DropColumn { table, column: name }
            | Self::ChangeColumnType { table, column: name, .. }
            | Self::SetNotNull { table, column: name, .. }
            | Self::DropNotNull { table, column: name }
            | Self::SetDefault { table, column: name, .. }
            | Self::DropDefault { table, column: name }
            | Self::SetColumnOptions { table, column: name, .. } => vec![column(table, name)],
            Self::AddIndex { index } => vec![ObjectRef::Index(index.name.clone())],
            Self::DropIndex { index } => vec![ObjectRef::Index(index.clone())],
            Self::RenameIndex { from, to } => {
                vec![ObjectRef::Index(from.clone()), ObjectRef::Index(to.clone())]
            }
            Self::AddConstraint { table, constraint: new } => {
                vec![constraint(table, &new.effective_name(&table.name))]
            }
            Self::DropConstraint { table, name } => vec![constraint(table, name)],
            Self::RenameConstraint { table, from, to } => {
                vec![constraint(table, from), constraint(table, to)]
            }
            Self::CreateView { view } => vec![ObjectRef::View(view.name.clone())],
            Self::DropView { view } => vec![ObjectRef::View(view.clone())],
            Self::Execute { .. } => vec![ObjectRef::Database],
        }
    }

    /// The tables it changes or relies on, in a schema as it is before the operation: for a foreign key also the table
    /// referred to. A rename counts under both names; views and raw SQL touch no table that is known here.
    pub fn tables(&self, before: &Schema) -> Vec<ObjectName> {
        let parents = |table: &Table| {
            let keys = table.constraints.iter().filter_map(|constraint| constraint.foreign_key());
            keys.map(|key| key.table.clone()).collect::<Vec<_>>()
        };
        let mut tables = match self {
            Self::CreateTable { table } => {
                let mut tables = parents(table);
                tables.push(table.name.clone());
                tables
            }
            Self::RenameTable { from, to } => vec![from.clone(), to.clone()],
            Self::AddColumn { table, constraints, .. } => {
                let mut tables = vec![table.clone()];
                let keys = constraints.iter().filter_map(|constraint| constraint.foreign_key());
                tables.extend(keys.map(|key| key.table.clone()));
                tables
            }
            Self::AddConstraint { table, constraint } => {
                let mut tables = vec![table.clone()];
                if let ConstraintKind::ForeignKey(key) = &constraint.kind {
                    tables.push(key.table.clone());
                }
                tables
            }
            Self::DropTable { table }
            | Self::SetTableOptions { table, .. }
            | Self::DropColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::ChangeColumnType { table, .. }
            | Self::SetNotNull { table, .. }
            | Self::DropNotNull { table, .. }
            | Self::SetDefault { table, .. }
            | Self::DropDefault { table, .. }
            | Self::SetColumnOptions { table, .. }
            | Self::DropConstraint { table, .. }
            | Self::RenameConstraint { table, .. } => vec![table.clone()],
            Self::AddIndex { index } => vec![index.table.clone()],
            Self::DropIndex { index } | Self::RenameIndex { from: index, .. } => {
                before.index(index).map(|index| index.table.clone()).into_iter().collect()
            }
            Self::CreateView { .. } | Self::DropView { .. } | Self::Execute { .. } => Vec::new(),
        };
        tables.sort();
        tables.dedup();
        tables
    }

    /// Whether it loses data that nothing else in the database holds, in a schema as it is before the operation: a
    /// table or column goes (a generated one can be computed again), or a type gets narrower. Of raw SQL nothing is
    /// known here.
    pub fn is_destructive(&self, before: &Schema) -> bool {
        let column_of =
            |table: &ObjectName, column: &str| before.table(table)?.visible_column(column, before.names);
        match self {
            Self::DropTable { .. } => true,
            Self::DropColumn { table, column } => {
                column_of(table, column).is_none_or(|column| column.generated.is_none())
            }
            Self::ChangeColumnType { table, column, to, .. } => column_of(table, column)
                .is_none_or(|column| column.generated.is_none() && !column.data_type.fits_into(to)),
            _ => false,
        }
    }
}

impl DataType {
    /// Whether every value of this type is one of the other, too.
    pub fn fits_into(&self, wider: &Self) -> bool {
        use DataType::{
            Array, BigInt, Boolean, Char, Date, Decimal, Double, Integer, Real, SmallInt, Text, Time,
            Timestamp, TimestampTz, Untyped, Uuid, Varchar,
        };
        if self == wider || *wider == Untyped {
            return true;
        }
        match (self, wider) {
            (narrow, Text) => matches!(
                narrow,
                Boolean
                    | SmallInt
                    | Integer
                    | BigInt
                    | Decimal(..)
                    | Varchar(_)
                    | Char(_)
                    | Date
                    | Time
                    | Timestamp
                    | TimestampTz
                    | Uuid
            ),
            (Boolean, SmallInt | Integer | BigInt)
            | (SmallInt, Integer | BigInt | Real | Double)
            | (Integer, BigInt)
            | (SmallInt | Integer | BigInt | Decimal(..), Decimal(None, _))
            | (Real, Double)
            | (Varchar(_) | Char(_), Varchar(None))
            | (Date, Timestamp) => true,
            (Varchar(Some(n)) | Char(Some(n)), Varchar(Some(m))) => n <= m,
            (Decimal(Some(p), s), Decimal(Some(q), t)) => {
                let (s, t) = (s.unwrap_or(0), t.unwrap_or(0));
                s <= t && p.saturating_sub(s) <= q.saturating_sub(t)
            }
            (Array(a), Array(b)) => a.fits_into(b),
            _ => false,
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "table {name}"),
            Self::Column(table, column) => write!(f, "column {table}.{}", quote_ident(column)),
            Self::Index(name) => write!(f, "index {name}"),
            Self::Constraint(table, name) => write!(f, "constraint {table}.{}", quote_ident(name)),
            Self::View(name) => write!(f, "view {name}"),
            Self::Trigger(name) => write!(f, "trigger {name}"),
            Self::Database => f.write_str("the database"),
        }
    }
}
