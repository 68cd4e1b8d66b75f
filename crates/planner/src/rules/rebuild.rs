//! The online rebuild of a SQLite table: several operations on one table as one new table.
//!
//! While the operations are applied to the model, each column's way from the old row to the new one is noted, and the
//! way back. At the end that is the rebuild; the model's table is its `after`.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, ObjectName, ObjectRef, PrimaryKey, Table,
};

use crate::conversion::{Conversion, convert, convert_using, within_affinity};
use crate::estimate::metadata;
use crate::exprs::{all_of, is_constant, is_unstable, operand, substitute};
use crate::text::{Affinity, sqlite_meaning, sqlite_type_name};
use crate::{Action, Capture, Check, ColumnMapping, Phase, PlanError, Rebuild, Severity, codes};

use super::declare::check_of;
use super::ladder::Ladder;
use super::row_key::{row_key, rowid_alias};

/// A column of the table as it changes.
struct Tracked {
    name: String,
    /// The column of the original that it is.
    origin: Option<String>,
    /// Its value over the original row.
    value: Expr,
    /// What must hold over the original row.
    fits: Vec<Expr>,
    /// The original's value over the row as it is now; `None` when that does not tell.
    back: Option<Expr>,
    back_fits: Vec<Expr>,
}

/// The steps of one rebuild for all of these operations.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, ops: &[(usize, MigrationOp)]) -> Result<(), PlanError> {
    let Some((_, first)) = ops.first() else { return Ok(()) };
    let Some(name) = table_of(first, ladder) else { return Ok(()) };
    let before = ladder.table(&name)?;
    let mut track = Track::new(&before);
    for (position, (at, op)) in ops.iter().enumerate() {
        if position > 0 {
            ladder.warn_of_loss(op);
        }
        let earlier = ladder.table(&name)?;
        ladder.apply(op).map_err(|error| error.at(*at))?;
        let later = ladder.table(&name)?;
        stops_counting(ladder, op, &earlier, &later).map_err(|error| error.at(*at))?;
        track.follow(op, &earlier, &later, ladder).map_err(|error| error.at(*at))?;
    }
    let after = ladder.table(&name)?;
    let rebuild = track.finish(ladder, after)?;
    steps(ladder, rebuild, track.checks);
    Ok(())
}

/// A key that is the rowid gives new rows a number; of any other type it is left NULL where an INSERT says nothing.
fn stops_counting(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    earlier: &Table,
    later: &Table,
) -> Result<(), PlanError> {
    let MigrationOp::ChangeColumnType { column, .. } = op else { return Ok(()) };
    let same = |name: &str| name.eq_ignore_ascii_case(column);
    let counted = rowid_alias(earlier).is_some_and(same) && rowid_alias(later).is_none();
    let Some(new) = later.columns.iter().find(|new| counted && same(&new.name)) else { return Ok(()) };
    let what = ObjectRef::Column(earlier.name.clone(), new.name.clone());
    if Affinity::of(new, later) == Affinity::Integer {
        return Err(PlanError::new(
            codes::INCOMPATIBLE,
            format!("{what} would no longer count by itself, which in SQLite only INTEGER does"),
            "leave it as it is: an INTEGER holds 64 bits already",
        ));
    }
    let message = format!("{what} no longer counts by itself: an INSERT that leaves it out gives it NULL");
    ladder.warn(codes::COUNTS_NO_LONGER, Severity::Warning, message);
    Ok(())
}

fn table_of(op: &MigrationOp, ladder: &Ladder<'_>) -> Option<ObjectName> {
    op.tables(&ladder.schema).into_iter().find_map(|name| {
        let own = match op {
            // A foreign key names its parent, too.
            MigrationOp::AddConstraint { table, .. } | MigrationOp::AddColumn { table, .. } => table.clone(),
            _ => name,
        };
        ladder.schema.table(&own).map(|table| table.name.clone())
    })
}

/// The ways of all columns.
struct Track {
    before: Table,
    columns: Vec<Tracked>,
    /// What the new constraints demand, over the original row, as far as it can be said of it.
    checks: Vec<Check>,
}

impl Track {
    fn new(before: &Table) -> Self {
        let columns =
            before.columns.iter().filter(|column| column.generated.is_none()).map(|column| Tracked {
                name: column.name.clone(),
                origin: Some(column.name.clone()),
                value: Expr::column(&column.name),
                fits: Vec::new(),
                back: Some(Expr::column(&column.name)),
                back_fits: Vec::new(),
            });
        Self { before: before.clone(), columns: columns.collect(), checks: Vec::new() }
    }

    fn find(&mut self, name: &str) -> Option<&mut Tracked> {
        self.columns.iter_mut().find(|tracked| tracked.name.eq_ignore_ascii_case(name))
    }

    /// An expression over the row as it is now, over the original row.
    fn over_original(&self, expr: &Expr) -> Expr {
        substitute(expr, |name| {
            let tracked = self.columns.iter().find(|tracked| tracked.name.eq_ignore_ascii_case(name))?;
            Some(tracked.value.clone())
        })
    }

    /// Replaces a column in every way back.
    fn replace_in_back(&mut self, column: &str, by: &Expr) {
        let value = |name: &str| name.eq_ignore_ascii_case(column).then(|| by.clone());
        for tracked in &mut self.columns {
            if let Some(back) = &mut tracked.back {
                *back = substitute(back, value);
            }
            for fits in &mut tracked.back_fits {
                *fits = substitute(fits, value);
            }
        }
    }

    /// Takes an operation along, between the table before and after it.
    fn follow(
        &mut self,
        op: &MigrationOp,
        earlier: &Table,
        later: &Table,
        ladder: &Ladder<'_>,
    ) -> Result<(), PlanError> {
        match op {
            MigrationOp::AddColumn { table, column, constraints, backfill } => {
                self.add(column, backfill.as_ref(), ladder.is_empty(table), later)?;
                for constraint in constraints {
                    self.demand(constraint, later);
                }
            }
            MigrationOp::DropColumn { column, .. } => {
                self.columns.retain(|tracked| !tracked.name.eq_ignore_ascii_case(column));
                for tracked in &mut self.columns {
                    tracked.back = tracked.back.take().filter(|back| !back.mentions(column));
                }
            }
            MigrationOp::RenameColumn { from, to, .. } => {
                self.replace_in_back(from, &Expr::column(to));
                if let Some(tracked) = self.find(from) {
                    tracked.name.clone_from(to);
                }
            }
            MigrationOp::ChangeColumnType { column, using, revert_using, .. } => {
                self.convert(column, using.as_ref(), revert_using.as_ref(), earlier, later);
            }
            MigrationOp::SetNotNull { column, backfill, .. } => self.set_not_null(column, backfill.as_ref()),
            MigrationOp::AddConstraint { constraint, .. } => self.demand(constraint, later),
            MigrationOp::SetTableOptions { .. } => {
                // STRICT tables store some types as others.
                for column in &later.columns {
                    let known = earlier.columns.iter().find(|known| known.name == column.name);
                    if known.is_some() {
                        self.convert(&column.name, None, None, earlier, later);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add(
        &mut self,
        column: &Column,
        backfill: Option<&Expr>,
        empty: bool,
        later: &Table,
    ) -> Result<(), PlanError> {
        if column.generated.is_some() {
            return Ok(());
        }
        let given = backfill.or(column.default.as_ref());
        if column.not_null && given.is_none() && !empty {
            return Err(PlanError::new(
                codes::NEEDS_VALUE,
                format!(
                    "{}.{} is NOT NULL, and the rows that are there have no value for it",
                    later.name, column.name
                ),
                "add DEFAULT value, or BACKFILL value for the rows that are there",
            ));
        }
        let Conversion { value, fits } = match given.map(|given| self.over_original(given)) {
            Some(value) if stored_alike(&value, column, later) => Conversion { value, fits: None },
            Some(value) => convert(&value, column, later),
            None => Conversion { value: Expr::new("NULL"), fits: None },
        };
        let mut fits: Vec<Expr> = fits.into_iter().filter(|_| !is_unstable(&value)).collect();
        fits.extend(not_null(&value, column.not_null && !is_constant(&value)));
        self.columns.push(Tracked {
            name: column.name.clone(),
            origin: None,
            fits,
            value,
            back: None,
            back_fits: Vec::new(),
        });
        Ok(())
    }

    fn convert(
        &mut self,
        column: &str,
        using: Option<&Expr>,
        revert: Option<&Expr>,
        earlier: &Table,
        later: &Table,
    ) {
        let find = |table: &Table| {
            table.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column)).cloned()
        };
        let (Some(old), Some(new)) = (find(earlier), find(later)) else { return };
        if new.generated.is_some() {
            return;
        }
        let declared = |column: &Column, table: &Table| (crate::text::SQLITE.type_name)(column, table);
        let same = sqlite_type_name(&old.data_type) == sqlite_type_name(&new.data_type)
            && declared(&old, earlier) == declared(&new, later)
            && earlier.options.strict == later.options.strict;
        let back = |expr: &Expr| match revert {
            Some(_) => convert_using(expr, &old, earlier, later),
            None => convert(expr, &unmeasured(&old), earlier),
        };
        let own = Expr::column(&new.name);
        // Values of one affinity are stored alike.
        let vector = |column: &Column| matches!(column.data_type, DataType::Vector(_));
        let kept = earlier.options.strict == later.options.strict
            && Affinity::of(&old, earlier) == Affinity::of(&new, later)
            && !vector(&old)
            && !vector(&new);
        let back = if same && revert.is_none() {
            Conversion { value: own, fits: None }
        } else if kept && revert.is_none() {
            Conversion { fits: None, value: own }
        } else {
            back(revert.unwrap_or(&own))
        };
        self.replace_in_back(column, &back.value);
        let raw = using.map(|using| self.over_original(using));
        let before = self.before.clone();
        let Some(tracked) = self.find(column) else { return };
        tracked.back_fits.extend(back.fits);
        let forth = match raw {
            Some(raw) => convert_using(&raw, &new, later, &before),
            None if same => return,
            None if kept => {
                let fits = within_affinity(&tracked.value, &old.data_type, &new.data_type);
                Conversion { value: tracked.value.clone(), fits }
            }
            None => convert(&tracked.value, &new, later),
        };
        tracked.value = forth.value;
        tracked.fits.extend(forth.fits);
    }

    fn set_not_null(&mut self, column: &str, backfill: Option<&Expr>) {
        let backfill = backfill.map(|value| self.over_original(value));
        let Some(tracked) = self.find(column) else { return };
        if let Some(backfill) = backfill {
            tracked.value = Expr::new(format!("coalesce({}, {backfill})", tracked.value));
        }
        tracked.fits.extend(not_null(&tracked.value, true));
    }

    /// A constraint whose truth can be told from the original rows, before anything is copied.
    fn demand(&mut self, constraint: &Constraint, table: &Table) {
        let original = |name: &str| {
            let tracked = self.columns.iter().find(|tracked| tracked.name.eq_ignore_ascii_case(name))?;
            tracked.origin.clone().filter(|origin| tracked.value == Expr::column(origin))
        };
        let check = match check_of(table, constraint) {
            Some(Check::Holds { name, expr }) => {
                let expr = self.over_original(&expr);
                Some(Check::Holds { name, expr }).filter(|_| reads_stored(table, constraint))
            }
            Some(Check::References { name, mut key }) => {
                let columns: Option<Vec<String>> =
                    key.columns.iter().map(|column| original(column)).collect();
                // A table that refers to itself is examined when the new one is complete.
                let other = key.table != table.name;
                columns.filter(|_| other).map(|columns| {
                    key.columns = columns;
                    Check::References { name, key }
                })
            }
            Some(Check::Distinct { name, columns }) => {
                let parts: Option<Vec<_>> = columns
                    .into_iter()
                    .map(|mut part| {
                        part.column = original(&part.column)?;
                        Some(part)
                    })
                    .collect();
                parts.map(|columns| Check::Distinct { name, columns })
            }
            _ => None,
        };
        self.checks.extend(check);
    }

    fn finish(&self, ladder: &mut Ladder<'_>, after: Table) -> Result<Rebuild, PlanError> {
        let before = self.before.clone();
        let find = |name: &str| self.columns.iter().find(|tracked| tracked.name.eq_ignore_ascii_case(name));
        // A WITHOUT ROWID table's key takes no NULL, whatever it says.
        let keyed = |table: &Table, column: &str| {
            let in_key =
                |key: &PrimaryKey| key.columns.iter().any(|part| part.column.eq_ignore_ascii_case(column));
            table.options.without_rowid && table.primary_key().is_some_and(in_key)
        };
        let stored = |table: &Table| -> Vec<Column> {
            table.columns.iter().filter(|column| column.generated.is_none()).cloned().collect()
        };
        let mapping = stored(&after).into_iter().filter_map(|column| {
            let tracked = find(&column.name)?;
            let mut fits = tracked.fits.clone();
            let known = tracked.origin.as_ref().is_some_and(|origin| keyed(&before, origin));
            fits.extend(not_null(&tracked.value, keyed(&after, &column.name) && !known && !column.not_null));
            Some(ColumnMapping {
                column: column.name.clone(),
                unstable: is_unstable(&tracked.value),
                from: tracked.value.clone(),
                fits: all_of(&fits),
            })
        });
        let mapping = mapping.collect();
        let mapping_back = stored(&before).into_iter().filter_map(|column| {
            let tracked =
                self.columns.iter().find(|tracked| tracked.origin.as_ref() == Some(&column.name))?;
            let from = tracked.back.clone()?;
            let loose = after.columns.iter().any(|new| new.name == tracked.name && !new.not_null);
            let mut fits = tracked.back_fits.clone();
            fits.extend(not_null(&from, column.not_null && loose));
            Some(ColumnMapping {
                column: column.name.clone(),
                unstable: is_unstable(&from),
                from,
                fits: all_of(&fits),
            })
        });
        let mapping_back = mapping_back.collect();
        let shadow = ladder.names.beside("new", &after.name);
        let retained = ladder.names.beside("old", &before.name);
        let forward = Capture {
            table: before.name.clone(),
            log: ladder.names.beside("log", &before.name),
            key: row_key(&before)?,
            columns: None,
            follows: false,
            moves: false,
        };
        let reverse = Capture {
            table: after.name.clone(),
            log: ladder.names.beside("back", &after.name),
            key: row_key(&after)?,
            columns: None,
            follows: false,
            moves: true,
        };
        let indexes = ladder.schema.indexes_of(&after.name).cloned().collect();
        Ok(Rebuild { before, after, shadow, retained, forward, reverse, mapping, mapping_back, indexes })
    }
}

/// Whether a CHECK reads nothing but stored columns: generated ones have no expression here.
fn reads_stored(table: &Table, constraint: &Constraint) -> bool {
    let ConstraintKind::Check { expr } = &constraint.kind else { return false };
    table.columns.iter().all(|column| column.generated.is_none() || !expr.mentions(&column.name))
}

/// Whether the value is a literal that the column stores as it is.
fn stored_alike(value: &Expr, column: &Column, table: &Table) -> bool {
    let literal = value.as_str().trim_start_matches(['-', '+']).trim_start();
    let number = literal.starts_with(|c: char| c.is_ascii_digit());
    let vector = matches!(column.data_type, DataType::Vector(_));
    is_constant(value)
        && !vector
        && match Affinity::of(column, table) {
            Affinity::Text => !number,
            Affinity::Integer | Affinity::Numeric => !literal.starts_with('\'') && !literal.contains('.'),
            Affinity::Real => !literal.starts_with('\''),
            Affinity::Blob => true,
        }
}

/// The column as SQLite holds its rows to it, which does not measure texts: what the old table had or would have taken
/// goes back into it.
fn unmeasured(column: &Column) -> Column {
    match sqlite_meaning(&column.data_type) {
        DataType::Varchar(Some(_)) | DataType::Char(Some(_)) => {
            Column { data_type: DataType::Text, ..column.clone() }
        }
        _ => column.clone(),
    }
}

fn not_null(value: &Expr, demanded: bool) -> Vec<Expr> {
    let condition = || Expr::statement(format!("{} IS NOT NULL", operand(value)));
    (demanded && !is_unstable(value)).then(condition).into_iter().collect()
}

/// In one transaction where that is short; otherwise beside the application, with a swap at the end.
fn steps(ladder: &mut Ladder<'_>, rebuild: Rebuild, checks: Vec<Check>) {
    let costs = ladder.costs(&rebuild.before.name);
    let keys = rebuild
        .after
        .constraints
        .iter()
        .filter(|constraint| {
            matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
        })
        .count();
    let indexes = rebuild.indexes.len() + keys;
    let millis = costs.copy(indexes);
    let bytes = costs.bytes() + costs.index_bytes(indexes, rebuild.after.columns.len());
    let (retained, reverse) = (rebuild.retained.clone(), rebuild.reverse.clone());
    let table = rebuild.before.name.clone();
    if !checks.is_empty() {
        let estimate = costs.unlocked(ladder.check_millis(&table, &checks));
        let action = Action::Validate { table, checks, captured: None };
        // Said before anything is done: rows that cannot fulfil what is new.
        ladder.step(Phase::Expand, action, Vec::new(), estimate);
    }
    let rebuild = ladder.add_rebuild(rebuild);
    let (unswap, abandon) = (Action::RebuildUnswap { rebuild }, Action::RebuildAbandon { rebuild });
    if ladder.is_brief(millis) {
        let estimate = costs.at_once(millis, bytes);
        ladder.step(Phase::Cutover, Action::RebuildAtOnce { rebuild }, vec![unswap, abandon], estimate);
    } else {
        ladder.step(Phase::Expand, Action::RebuildPrepare { rebuild }, vec![abandon], metadata());
        let copied = costs.paced(costs.copy(0), costs.bytes());
        ladder.step(Phase::Backfill, Action::RebuildCopy { rebuild }, Vec::new(), copied);
        let verified = costs.paced(costs.copy(indexes) - costs.copy(0) + 2.0 * costs.scan(), bytes);
        ladder.step(Phase::Validate, Action::RebuildVerify { rebuild }, Vec::new(), verified);
        ladder.step(Phase::Cutover, Action::RebuildSwap { rebuild }, vec![unswap], metadata());
    }
    if !ladder.options.retain {
        let message = "the original of the table is not kept";
        ladder.give_up(Action::StopCapture { capture: reverse }, metadata(), message);
        ladder.give_up_table(retained, costs, message);
    }
}
