//! What a database cannot express, said before anything is planned.

use pql_schema::{
    Action, Column, Constraint, ConstraintKind, DataType, Deferrable, Index, MigrationOp, NullsOrder,
    SortOrder, Table, TableOptions,
};

use crate::{Capabilities, Dialect, PlanError, codes};

/// Refuses an operation that asks for more than the database has. `table`: the one it is about, as it is before it.
pub(super) fn examine(op: &MigrationOp, table: Option<&Table>, caps: &Capabilities) -> Result<(), PlanError> {
    match caps.dialect {
        Dialect::Sqlite => sqlite(op, table, caps),
        Dialect::Postgres => super::supported_postgres::examine(op, table, caps),
    }
}

fn sqlite(op: &MigrationOp, table: Option<&Table>, caps: &Capabilities) -> Result<(), PlanError> {
    match op {
        MigrationOp::CreateTable { table } => {
            table.columns.iter().try_for_each(|column| examine_column(column, table, caps))?;
            table.constraints.iter().try_for_each(examine_constraint)?;
            examine_options(&table.options)
        }
        MigrationOp::SetTableOptions { options, .. } => examine_options(options),
        MigrationOp::AddColumn { column, constraints, table: name, .. } => {
            let mut after = table.cloned().unwrap_or_else(|| Table::new(name.clone()));
            after.constraints.extend_from_slice(constraints);
            examine_column(column, &after, caps)?;
            constraints.iter().try_for_each(examine_constraint)
        }
        MigrationOp::ChangeColumnType { to, .. } => examine_type(to, caps),
        MigrationOp::AddConstraint { constraint, .. } => examine_constraint(constraint),
        MigrationOp::SetColumnOptions { identity: Some(_), .. } => {
            Err(unsupported("SQLite has no identity columns", "make the column INTEGER PRIMARY KEY"))
        }
        MigrationOp::AddIndex { index } => examine_index(index),
        MigrationOp::CreateView { view } if view.materialized => {
            Err(unsupported("SQLite has no materialized views", "create a table and fill it"))
        }
        _ => Ok(()),
    }
}

pub(super) fn unsupported(message: &str, help: &str) -> PlanError {
    PlanError::new(codes::UNSUPPORTED, message, help)
}

fn examine_options(options: &TableOptions) -> Result<(), PlanError> {
    if options.unlogged {
        return Err(unsupported(
            "SQLite has no UNLOGGED tables",
            "leave it out; its table options are STRICT and WITHOUT ROWID",
        ));
    }
    match &options.native {
        Some(options) => Err(unsupported(
            &format!("SQLite has no table option {options}"),
            "its table options are STRICT and WITHOUT ROWID",
        )),
        None => Ok(()),
    }
}

fn examine_column(column: &Column, table: &Table, caps: &Capabilities) -> Result<(), PlanError> {
    examine_type(&column.data_type, caps)?;
    let key = table.primary_key().map(|key| key.columns.as_slice()).unwrap_or_default();
    let counts = matches!(key, [part] if part.column.eq_ignore_ascii_case(&column.name));
    if column.identity.is_some() && !(counts && column.data_type == DataType::Integer) {
        return Err(unsupported(
            &format!("SQLite has no identity columns, and {} is not an INTEGER PRIMARY KEY", column.name),
            "make the column INTEGER PRIMARY KEY: it then counts by itself",
        ));
    }
    Ok(())
}

fn examine_type(data_type: &DataType, caps: &Capabilities) -> Result<(), PlanError> {
    match data_type {
        DataType::Array(_) => Err(unsupported("SQLite has no arrays", "use JSON, or a table of its own")),
        DataType::Vector(_) => match &caps.vectors {
            Ok(()) => Ok(()),
            Err(why) => Err(PlanError::new(codes::NO_VECTORS, "vectors cannot be stored here", why)),
        },
        _ => Ok(()),
    }
}

fn examine_constraint(constraint: &Constraint) -> Result<(), PlanError> {
    match &constraint.kind {
        ConstraintKind::Native { definition } => Err(unsupported(
            &format!("SQLite has no such constraint: {definition}"),
            "use CHECK, UNIQUE or a trigger",
        )),
        ConstraintKind::Unique(unique) if unique.nulls_not_distinct => Err(unsupported(
            "in SQLite, NULLs in a UNIQUE constraint are distinct",
            "use a unique index over coalesce(column, …)",
        )),
        ConstraintKind::Unique(unique)
            if matches!(unique.deferrable, Some(Deferrable::Immediate | Deferrable::Deferred)) =>
        {
            Err(unsupported("SQLite cannot defer a UNIQUE constraint", "leave DEFERRABLE away"))
        }
        ConstraintKind::ForeignKey(key) => {
            let listed = [&key.on_delete, &key.on_update].into_iter().any(|action| {
                matches!(action, Action::SetNull(columns) | Action::SetDefault(columns) if !columns.is_empty())
            });
            if listed {
                return Err(unsupported(
                    "in SQLite, SET NULL and SET DEFAULT concern all columns of the foreign key",
                    "leave the list of columns away",
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn examine_index(index: &Index) -> Result<(), PlanError> {
    let method = index.method.as_deref().filter(|method| !method.eq_ignore_ascii_case("btree"));
    if let Some(method) = method {
        let help = if matches!(method, "hnsw" | "ivfflat") {
            "search the vectors with vec_distance_cosine(); SQLite reads them all"
        } else {
            "leave USING away"
        };
        return Err(unsupported(&format!("SQLite has no index method {method}"), help));
    }
    if !index.include.is_empty() {
        return Err(unsupported("SQLite has no INCLUDE", "list the columns after the key's"));
    }
    if index.nulls_not_distinct {
        return Err(unsupported(
            "in SQLite, NULLs in a unique index are distinct",
            "index coalesce(column, …) instead",
        ));
    }
    if index.with.is_some() {
        return Err(unsupported("SQLite's indexes have no storage parameters", "leave WITH (…) away"));
    }
    for part in &index.parts {
        if let Some(opclass) = &part.opclass {
            return Err(unsupported(
                &format!("SQLite has no operator class {opclass}"),
                "say the order of text with COLLATE",
            ));
        }
        let natural = match part.order {
            SortOrder::Asc => NullsOrder::First,
            SortOrder::Desc => NullsOrder::Last,
        };
        if part.nulls.is_some_and(|nulls| nulls != natural) {
            return Err(unsupported(
                "in a SQLite index NULL is smaller than every value",
                "leave NULLS FIRST or NULLS LAST away",
            ));
        }
    }
    Ok(())
}
