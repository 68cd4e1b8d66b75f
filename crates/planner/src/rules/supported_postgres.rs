//! What PostgreSQL cannot express.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, NameRule, ObjectName, SortOrder, Table,
    TableOptions, quote_ident, tokens,
};

use crate::text::POSTGRES_LONGEST;
use crate::{Capabilities, PlanError, codes};

use super::supported::unsupported;

/// Refuses an operation that asks for more than PostgreSQL has. `table`: the one it is about, as it is before it.
pub(super) fn examine(op: &MigrationOp, table: Option<&Table>, caps: &Capabilities) -> Result<(), PlanError> {
    new_names(op).into_iter().try_for_each(examine_name)?;
    match op {
        MigrationOp::CreateTable { table } => {
            table.columns.iter().try_for_each(|column| examine_column(column, caps))?;
            table.constraints.iter().try_for_each(examine_constraint)?;
            examine_options(&table.options)
        }
        MigrationOp::SetTableOptions { options, .. } => {
            examine_options(options)?;
            if let Some(table) = table.filter(|table| table.options.unlogged != options.unlogged) {
                let (to, back) =
                    if options.unlogged { ("UNLOGGED", "LOGGED") } else { ("LOGGED", "UNLOGGED") };
                let name = &table.name;
                return Err(unsupported(
                    &format!(
                        "{name} cannot become {to} by an operation: the server writes all of it anew, and nobody else can use it meanwhile"
                    ),
                    &format!(
                        "use EXECUTE 'ALTER TABLE {name} SET {to}' REVERT 'ALTER TABLE {name} SET {back}'"
                    ),
                ));
            }
            if table.is_some_and(|table| table.options != *options) {
                return Err(unsupported(
                    "options of a table that is there cannot be changed by an operation",
                    "use EXECUTE 'ALTER TABLE … SET (…)' REVERT 'ALTER TABLE … RESET (…)'",
                ));
            }
            Ok(())
        }
        MigrationOp::AddColumn { column, constraints, .. } => {
            examine_column(column, caps)?;
            constraints.iter().try_for_each(examine_constraint)
        }
        MigrationOp::ChangeColumnType { to, .. } => examine_type(to, caps),
        MigrationOp::AddConstraint { constraint, .. } => examine_constraint(constraint),
        MigrationOp::SetDefault { column, default, .. } => {
            let known = table.and_then(|table| table.column(column, NameRule::Exact));
            known.map_or(Ok(()), |known| examine_default(&known.data_type, default))
        }
        MigrationOp::SetColumnOptions { not_null_conflict: Some(_), .. } => Err(no_conflict_clause()),
        _ => Ok(()),
    }
}

/// The names that an operation gives.
fn new_names(op: &MigrationOp) -> Vec<&str> {
    fn of_object(name: &ObjectName) -> Vec<&str> {
        name.schema.as_deref().into_iter().chain([name.name.as_str()]).collect()
    }
    fn of_constraints(all: &[Constraint]) -> Vec<&str> {
        all.iter().filter_map(|constraint| constraint.name.as_deref()).collect()
    }
    match op {
        MigrationOp::CreateTable { table } => {
            let mut names = of_object(&table.name);
            names.extend(table.columns.iter().map(|column| column.name.as_str()));
            names.extend(of_constraints(&table.constraints));
            names
        }
        MigrationOp::AddColumn { column, constraints, .. } => {
            let mut names = vec![column.name.as_str()];
            names.extend(of_constraints(constraints));
            names
        }
        MigrationOp::RenameTable { to, .. } | MigrationOp::RenameIndex { to, .. } => of_object(to),
        MigrationOp::RenameColumn { to, .. } | MigrationOp::RenameConstraint { to, .. } => vec![to],
        MigrationOp::AddIndex { index } => of_object(&index.name),
        MigrationOp::AddConstraint { constraint, .. } => of_constraints(std::slice::from_ref(constraint)),
        MigrationOp::CreateView { view } => {
            let mut names = of_object(&view.name);
            names.extend(view.columns.iter().map(String::as_str));
            names
        }
        _ => Vec::new(),
    }
}

/// The server would cut it, and what it then made would not be what was asked for.
fn examine_name(name: &str) -> Result<(), PlanError> {
    if name.len() <= POSTGRES_LONGEST {
        return Ok(());
    }
    Err(unsupported(
        &format!(
            "the name {} has {} bytes, and PostgreSQL keeps {POSTGRES_LONGEST} of a name",
            quote_ident(name),
            name.len()
        ),
        "choose a shorter name; letters beyond ASCII take more than one byte",
    ))
}

fn examine_options(options: &TableOptions) -> Result<(), PlanError> {
    if options.strict || options.without_rowid {
        return Err(unsupported(
            "PostgreSQL has no STRICT and no WITHOUT ROWID tables",
            "leave the options away: every table of PostgreSQL is strict",
        ));
    }
    Ok(())
}

fn examine_column(column: &Column, caps: &Capabilities) -> Result<(), PlanError> {
    if column.not_null_conflict.is_some() {
        return Err(no_conflict_clause());
    }
    if column.generated.as_ref().is_some_and(|generated| !generated.stored) && major(caps) < 18 {
        return Err(unsupported(
            "this PostgreSQL has no VIRTUAL columns",
            "say STORED, or compute the value in a view",
        ));
    }
    if let Some(default) = &column.default {
        examine_default(&column.data_type, default)?;
    }
    examine_type(&column.data_type, caps)
}

/// `'now'` and its like are read when the default is declared, and stay what they were then: surely not what is meant,
/// and another value in every database.
fn examine_default(data_type: &DataType, default: &Expr) -> Result<(), PlanError> {
    const MOVING: [&str; 4] = ["'now'", "'today'", "'tomorrow'", "'yesterday'"];
    const TIMES: [&str; 5] = ["date", "time", "timestamp", "timestamptz", "timetz"];
    let words: Vec<String> = tokens(default.as_str()).map(|token| token.text.to_ascii_lowercase()).collect();
    let Some(word) = words.first().filter(|word| MOVING.contains(&word.as_str())) else { return Ok(()) };
    let is_time = match words.get(1).map(String::as_str) {
        None => matches!(
            data_type,
            DataType::Date
                | DataType::Time
                | DataType::Timestamp
                | DataType::TimestampTz
                | DataType::Native(_)
        ),
        Some("::") => words.get(2).is_some_and(|cast| TIMES.contains(&cast.as_str())),
        Some(_) => false,
    };
    if !is_time {
        return Ok(());
    }
    Err(unsupported(
        &format!("DEFAULT {word} would be the time at which it is declared, for ever"),
        "say now(), current_date, or current_date + 1; a fixed time as itself",
    ))
}

fn examine_type(data_type: &DataType, caps: &Capabilities) -> Result<(), PlanError> {
    match data_type {
        DataType::Untyped => Err(unsupported("PostgreSQL has no columns without a type", "say the type")),
        DataType::Array(inner) => examine_type(inner, caps),
        DataType::Vector(_) => match &caps.vectors {
            Ok(()) => Ok(()),
            Err(why) => Err(PlanError::new(codes::NO_VECTORS, "vectors cannot be stored here", why)),
        },
        _ => Ok(()),
    }
}

fn examine_constraint(constraint: &Constraint) -> Result<(), PlanError> {
    let (parts, conflict) = match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => (&key.columns, key.on_conflict),
        ConstraintKind::Unique(unique) => (&unique.columns, unique.on_conflict),
        _ => return Ok(()),
    };
    if conflict.is_some() {
        return Err(no_conflict_clause());
    }
    if parts.iter().any(|part| part.collation.is_some() || part.order == SortOrder::Desc) {
        return Err(unsupported(
            "in PostgreSQL a key's columns have neither an order nor a collation of their own",
            "use a unique index instead",
        ));
    }
    Ok(())
}

fn no_conflict_clause() -> PlanError {
    unsupported("PostgreSQL has no ON CONFLICT in a definition", "say ON CONFLICT in the INSERT")
}

/// The major version, from what the server says of itself.
fn major(caps: &Capabilities) -> u32 {
    let number = tokens(&caps.version).find_map(|token| token.text.split('.').next()?.parse().ok());
    number.unwrap_or_default()
}
