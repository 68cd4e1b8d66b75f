//! Renames: those that the target declares, those that an answer confirms, and those that somebody should be asked
//! about. Nothing is ever taken for a rename by itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::join::{Side, join};
use super::{Answers, DiffError, Question, Rename};
use crate::near::near;
use crate::{ApplyError, Column, MigrationOp, NameRule, ObjectName, Schema, Table};

/// With more pairs of things that went and came than this, each is only asked about together with the one in the same
/// place: nobody answers a hundred questions.
const MOST_PAIRS: usize = 16;

/// The current schema under the target's names.
pub(super) struct Settled<'a> {
    pub(super) renamed: Cow<'a, Schema>,
    pub(super) ops: Vec<MigrationOp>,
    pub(super) questions: Vec<Question>,
    pub(super) unused_answers: Vec<String>,
}

pub(super) fn settle<'a>(
    current: &'a Schema,
    target: &Schema,
    answers: &Answers,
) -> Result<Settled<'a>, DiffError> {
    let mut settled = Settled {
        renamed: Cow::Borrowed(current),
        ops: Vec::new(),
        questions: Vec::new(),
        unused_answers: Vec::new(),
    };
    settled.declared_tables(target, &answers.renamed_tables)?;
    settled.declared_columns(target, &answers.renamed_columns)?;
    settled.ask(target, &answers.by_id)?;
    Ok(settled)
}

/// What a declaration comes to.
enum Declared {
    Rename,
    Nothing,
}

impl Settled<'_> {
    fn apply(&mut self, op: MigrationOp, rename: impl FnOnce() -> Rename) -> Result<(), DiffError> {
        self.renamed.to_mut().apply(&op).map_err(|error| match error {
            ApplyError::AlreadyExists { .. } => DiffError::RenameBothExist { rename: Box::new(rename()) },
            other => other.into(),
        })?;
        self.ops.push(op);
        Ok(())
    }

    fn rename_table(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), DiffError> {
        let spelled = self.renamed.table(from).map_or(from, |table| &table.name).clone();
        let rename = || Rename::Table { from: from.clone(), to: to.clone() };
        self.apply(MigrationOp::RenameTable { from: spelled, to: to.clone() }, rename)
    }

    fn declared_tables(
        &mut self,
        target: &Schema,
        declared: &[(ObjectName, ObjectName)],
    ) -> Result<(), DiffError> {
        let rule = self.renamed.names;
        let mut active: BTreeMap<String, (&ObjectName, &ObjectName)> = BTreeMap::new();
        let key = |name: &ObjectName| rule.key(&name.to_string());
        for (to, from) in declared {
            let rename = || Box::new(Rename::Table { from: from.clone(), to: to.clone() });
            if target.table(to).is_none() {
                return Err(DiffError::RenameOutsideTarget { rename: rename() });
            }
            let vacated = declared.iter().any(|(_, other)| rule.same_object(other, to));
            let exist = (self.renamed.table(from).is_some(), self.renamed.table(to).is_some());
            if exist == (false, false) && self.renamed.tables.is_empty() {
                continue;
            }
            let near = || near(&from.name, self.renamed.tables.keys().map(|name| name.name.as_str()));
            match classify(exist, target.table(from).is_some(), vacated, rename, near)? {
                Declared::Nothing => {}
                Declared::Rename => {
                    if let Some((_, first)) = active.insert(key(from), (from, to)) {
                        let first = Box::new(Rename::Table { from: from.clone(), to: first.clone() });
                        return Err(DiffError::RenamesExcludeEachOther { first, second: rename() });
                    }
                }
            }
        }
        while !active.is_empty() {
            // A name has to be left before another takes it.
            let free =
                active.iter().find(|(_, (_, to))| !active.contains_key(&key(to))).map(|(key, _)| key.clone());
            let Some((from, to)) = free.and_then(|key| active.remove(&key)) else {
                let mut circle = active
                    .values()
                    .map(|(from, to)| Box::new(Rename::Table { from: (*from).clone(), to: (*to).clone() }));
                return Err(exclusive(circle.next(), circle.next()));
            };
            self.rename_table(from, to)?;
        }
        Ok(())
    }

    fn declared_columns(
        &mut self,
        target: &Schema,
        declared: &[(ObjectName, String, String)],
    ) -> Result<(), DiffError> {
        let rule = self.renamed.names;
        let mut active: BTreeMap<(ObjectName, String), (&String, &String)> = BTreeMap::new();
        for (table, to, from) in declared {
            let rename =
                || Box::new(Rename::Column { table: table.clone(), from: from.clone(), to: to.clone() });
            let wanted =
                |name: &str| target.table(table).and_then(|table| table.visible_column(name, rule)).is_some();
            if !wanted(to) {
                return Err(DiffError::RenameOutsideTarget { rename: rename() });
            }
            // A table that is only now created has the new name from the start.
            let Some(now) = self.renamed.table(table) else { continue };
            let vacated =
                declared.iter().any(|(other, _, from)| rule.same_object(other, table) && rule.same(from, to));
            let exist = (now.visible_column(from, rule).is_some(), now.visible_column(to, rule).is_some());
            let near = || near(from, now.visible().map(|column| column.name.as_str()));
            match classify(exist, wanted(from), vacated, rename, near)? {
                Declared::Nothing => {}
                Declared::Rename => {
                    if let Some((_, first)) = active.insert((now.name.clone(), rule.key(from)), (from, to)) {
                        let (table, from, to) = (table.clone(), from.clone(), first.clone());
                        let first = Box::new(Rename::Column { table, from, to });
                        return Err(DiffError::RenamesExcludeEachOther { first, second: rename() });
                    }
                }
            }
        }
        while !active.is_empty() {
            let is_free = |(key, (_, to)): &(&(ObjectName, String), &(&String, &String))| {
                !active.contains_key(&(key.0.clone(), rule.key(to)))
            };
            let free = active.iter().find(is_free).map(|(key, _)| key.clone());
            let Some(((table, _), (from, to))) = free.and_then(|key| active.remove_entry(&key)) else {
                let mut circle = active.iter().map(|((table, _), (from, to))| {
                    Box::new(Rename::Column {
                        table: table.clone(),
                        from: (*from).clone(),
                        to: (*to).clone(),
                    })
                });
                return Err(exclusive(circle.next(), circle.next()));
            };
            self.rename_column(&table, from, to)?;
        }
        Ok(())
    }

    fn rename_column(&mut self, table: &ObjectName, from: &str, to: &str) -> Result<(), DiffError> {
        let rule = self.renamed.names;
        let Some(now) = self.renamed.table(table) else {
            return Ok(());
        };
        let spelled = now.visible_column(from, rule).map_or(from, |column| &column.name).to_owned();
        let rename = || Rename::Column { table: table.clone(), from: from.to_owned(), to: to.to_owned() };
        self.apply(
            MigrationOp::RenameColumn { table: now.name.clone(), from: spelled, to: to.to_owned() },
            rename,
        )
    }

    /// Numbers what may be a rename, follows the answers that are yes, and keeps what has none.
    fn ask(&mut self, target: &Schema, answers: &BTreeMap<String, bool>) -> Result<(), DiffError> {
        let possible = possible_renames(&self.renamed, target);
        let asked: Vec<Question> = possible
            .into_iter()
            .enumerate()
            .map(|(at, rename)| Question { id: format!("rename_{}", at + 1), rename })
            .collect();
        let confirmed: Vec<&Question> =
            asked.iter().filter(|question| answers.get(&question.id) == Some(&true)).collect();
        for (at, second) in confirmed.iter().enumerate() {
            if let Some(first) = confirmed[..at].iter().find(|first| excludes(&first.rename, &second.rename))
            {
                let (first, second) = (Box::new(first.rename.clone()), Box::new(second.rename.clone()));
                return Err(DiffError::RenamesExcludeEachOther { first, second });
            }
        }
        for question in &confirmed {
            match &question.rename {
                Rename::Table { from, to } => self.rename_table(from, to)?,
                Rename::Column { table, from, to } => self.rename_column(table, from, to)?,
            }
        }
        let known: BTreeSet<&String> = asked.iter().map(|question| &question.id).collect();
        self.unused_answers = answers.keys().filter(|id| !known.contains(id)).cloned().collect();
        self.questions = asked
            .iter()
            .filter(|question| !answers.contains_key(&question.id))
            .filter(|question| !confirmed.iter().any(|yes| excludes(&yes.rename, &question.rename)))
            .cloned()
            .collect();
        Ok(())
    }
}

/// What a declared rename comes to, from whether the old and the new name exist.
fn classify(
    exist: (bool, bool),
    old_is_wanted: bool,
    new_is_vacated: bool,
    rename: impl Fn() -> Box<Rename>,
    near: impl Fn() -> Vec<String>,
) -> Result<Declared, DiffError> {
    match exist {
        (true, false) => Ok(Declared::Rename),
        (false, true) => Ok(Declared::Nothing),
        // It was done before, and the old name has been given to something new.
        (true, true) if old_is_wanted && !new_is_vacated => Ok(Declared::Nothing),
        (true, true) if new_is_vacated => Ok(Declared::Rename),
        (true, true) => Err(DiffError::RenameBothExist { rename: rename() }),
        (false, false) => Err(DiffError::RenameNeitherExists { rename: rename(), near: near() }),
    }
}

fn exclusive(first: Option<Box<Rename>>, second: Option<Box<Rename>>) -> DiffError {
    let first = first.expect("a circle of renames has at least one");
    let second = second.unwrap_or_else(|| first.clone());
    DiffError::RenamesExcludeEachOther { first, second }
}

/// Whether two renames take the same thing to two places, or two things to the same place.
fn excludes(one: &Rename, other: &Rename) -> bool {
    match (one, other) {
        (Rename::Table { from: a, to: x }, Rename::Table { from: b, to: y }) => (a == b) != (x == y),
        (
            Rename::Column { table, from, to },
            Rename::Column { table: other_table, from: other_from, to: other_to },
        ) => table == other_table && (from == other_from) != (to == other_to),
        _ => false,
    }
}

/// Every pair of things, one gone and one come, that may be one thing with two names.
fn possible_renames(now: &Schema, target: &Schema) -> Vec<Rename> {
    let rule = now.names;
    let mut found = Vec::new();
    let mut gone: BTreeMap<String, Vec<&Table>> = BTreeMap::new();
    let mut come: BTreeMap<String, Vec<&Table>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for side in join(&now.tables, &target.tables, rule) {
        match side {
            Side::Left(table) => gone.entry(columns_of(table, rule)).or_default().push(table),
            Side::Right(table) => come.entry(columns_of(table, rule)).or_default().push(table),
            Side::Both(table, then) if std::ptr::eq(table, then) => {}
            Side::Both(table, then) => pairs.push((table, then)),
        }
    }
    for (columns, gone) in gone {
        for (from, to) in paired(&gone, come.get(&columns).map_or(&[], Vec::as_slice), |_, _| true) {
            found.push(Rename::Table { from: from.name.clone(), to: to.name.clone() });
        }
    }
    found.sort();
    for (table, then) in pairs {
        if table.columns.iter().map(|column| &column.name).eq(then.columns.iter().map(|column| &column.name))
        {
            continue;
        }
        let gone: Vec<&Column> =
            table.visible().filter(|column| then.visible_column(&column.name, rule).is_none()).collect();
        if gone.is_empty() {
            continue;
        }
        let come: Vec<&Column> =
            then.visible().filter(|column| table.visible_column(&column.name, rule).is_none()).collect();
        for (from, to) in paired(&gone, &come, |a, b| compatible(table, a, then, b, rule)) {
            let (from, to) = (from.name.clone(), to.name.clone());
            found.push(Rename::Column { table: then.name.clone(), from, to });
        }
    }
    found
}

/// The pairs that fit; when there would be too many, each thing in one pair at most.
fn paired<'t, T>(gone: &[&'t T], come: &[&'t T], fits: impl Fn(&T, &T) -> bool) -> Vec<(&'t T, &'t T)> {
    let all = gone.len() * come.len() <= MOST_PAIRS;
    let mut free = come.to_vec();
    let mut pairs = Vec::new();
    for &from in gone {
        if all {
            pairs.extend(come.iter().filter(|to| fits(from, to)).map(|&to| (from, to)));
        } else if let Some(at) = free.iter().position(|to| fits(from, to)) {
            pairs.push((from, free.remove(at)));
        }
    }
    pairs
}

/// A table's columns in a form that is equal for tables with the same ones.
fn columns_of(table: &Table, rule: NameRule) -> String {
    let mut columns: Vec<String> = table
        .visible()
        .map(|column| format!("{:?} {:?}", rule.key(&column.name), column.data_type))
        .collect();
    columns.sort();
    columns.join(",")
}

fn compatible(table: &Table, column: &Column, then: &Table, other: &Column, rule: NameRule) -> bool {
    let in_key = |table: &Table, column: &Column| {
        table
            .primary_key()
            .is_some_and(|key| key.columns.iter().any(|part| rule.same(&part.column, &column.name)))
    };
    column.data_type == other.data_type
        && column.collation == other.collation
        // What is computed can be computed again under any name.
        && column.generated.is_none()
        && other.generated.is_none()
        && in_key(table, column) == in_key(then, other)
}
