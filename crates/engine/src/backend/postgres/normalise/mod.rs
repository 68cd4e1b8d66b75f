//! What a wanted schema becomes when the server has stored it.
//!
//! Only the server knows what it makes of `a IN (1, 2)`, of `SERIAL` or of a view's query. So what differs from the
//! present schema is created beside it, read back, and given up, all in one transaction that is rolled back: first
//! what is wanted, then, because what was restored from a dump may read otherwise than what was typed, what is there;
//! each again and again until nothing changes. Where any form of the one is a form of the other, both mean the same.

mod scratch;

use std::cell::Cell;
use std::collections::BTreeSet;

use pql_planner::text::{normalise_postgres, postgres_literal};
use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Index, ObjectName, Schema, Table, View, tokens,
};

use self::scratch::{UNNAMED, read_back};
use super::link::Session;
use super::transaction::{Settings, transact};
use crate::Result;
use crate::error::codes;

/// How often a definition is read back at most.
const PASSES: usize = 3;

/// Brings the definitions of `target` that are not in `current` to the server's own form. What the server cannot store
/// as it stands (it needs something that does not exist yet, or the role may create nothing) is left as it is.
pub(super) fn normalise(session: &mut Session, current: &Schema, target: &mut Schema) -> Result<()> {
    if session.is_read_only() {
        return Ok(());
    }
    let known = retyped(current, target, false);
    pass(session, current, target, &known)?;
    // A type may have been known only to the server.
    let all = retyped(current, target, true);
    if all.is_subset(&known) { Ok(()) } else { pass(session, current, target, &all) }
}

/// The same; `retyped` names the tables of which a column changes its type.
fn pass(
    session: &mut Session,
    current: &Schema,
    target: &mut Schema,
    retyped: &BTreeSet<ObjectName>,
) -> Result<()> {
    let Open { part: wanted, columns } = open(current, target, retyped);
    if is_empty(&wanted) {
        return Ok(());
    }
    // What is typed is read as the application would have it read.
    let settings = Settings { discard: true, as_configured: true, ..Settings::default() };
    let outcome = transact(session, &settings, |session| {
        let stored = counterpart(current, target, (&wanted, &columns), retyped);
        let read = read_back(session, &wanted)?;
        let mut forms = Forms { wanted: vec![wanted, read], stored: vec![stored], doubts: Cell::new(0) };
        let mut resolved = target.clone();
        resolve(&mut resolved, &columns, &forms);
        if forms.doubts.get() > 0 {
            // Something is there under the same name and reads otherwise; it may still mean the same.
            follow(session, &mut forms.wanted)?;
            follow(session, &mut forms.stored)?;
            resolved.clone_from(target);
            resolve(&mut resolved, &columns, &forms);
        }
        Ok(resolved)
    });
    match outcome {
        Ok(resolved) => {
            *target = resolved;
            Ok(())
        }
        Err(error) if [codes::PERMISSION, codes::READ_ONLY].contains(&error.code()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads back again and again, until nothing changes.
fn follow(session: &mut Session, forms: &mut Vec<Schema>) -> Result<()> {
    while forms.len() <= PASSES {
        let Some(last) = forms.last().filter(|last| !is_empty(last)) else { break };
        let next = read_back(session, last)?;
        if next == *last {
            break;
        }
        forms.push(next);
    }
    Ok(())
}

fn is_empty(schema: &Schema) -> bool {
    schema.tables.is_empty()
        && schema.indexes.is_empty()
        && schema.views.is_empty()
        && schema.triggers.is_empty()
}

/// The tables of which a column changes its type; types by the database's own names only when those are `settled`,
/// since `SERIAL` is none that a column can have. What is said over such a column reads otherwise afterwards, though
/// nobody changed it: a literal beside it gets its type.
fn retyped(current: &Schema, target: &Schema, settled: bool) -> BTreeSet<ObjectName> {
    let mut probe = target.clone();
    normalise_postgres(&mut probe, Some(current));
    let changes = |table: &&Table| {
        let Some(now) = current.table(&table.name) else { return false };
        let other = |column: &Column| {
            table.column(&column.name, probe.names).is_some_and(|then| {
                then.data_type != column.data_type && (settled || !is_native(&then.data_type))
            })
        };
        now.columns.iter().any(other)
    };
    probe.tables.values().filter(changes).map(|table| table.name.clone()).collect()
}

/// Whether a view names one of the tables.
fn reads(view: &View, tables: &BTreeSet<ObjectName>) -> bool {
    !tables.is_empty()
        && tokens(view.query.as_str())
            .filter_map(|token| token.name())
            .any(|name| tables.iter().any(|table| table.name == name))
}

/// Columns by their tables.
type Columns = BTreeSet<(ObjectName, String)>;

/// What of the target has to be asked for.
struct Open {
    /// The definitions, with the tables that they need.
    part: Schema,
    /// The columns of those tables that are asked for themselves.
    columns: Columns,
}

/// What of the target has to be asked for.
fn open(current: &Schema, target: &Schema, retyped: &BTreeSet<ObjectName>) -> Open {
    let mut probe = target.clone();
    normalise_postgres(&mut probe, Some(current));
    let mut part = Schema::new(target.names);
    let mut columns = Columns::new();
    for table in target.tables.values() {
        let now = current.table(&table.name).filter(|table| !retyped.contains(&table.name));
        let probed = probe.table(&table.name).unwrap_or(table);
        let known = |column: &Column| now.is_some_and(|now| now.columns.contains(column));
        let asked = table.columns.iter().zip(&probed.columns).filter(|(_, probed)| !known(probed));
        let asked: Vec<&Column> = asked.map(|(column, _)| column).filter(|column| has_text(column)).collect();
        let mut open = open_parts(now, table, &asked);
        for column in &mut open.columns {
            // A literal comes along as what was typed, not as one of the type that the column had, or has elsewhere.
            column.default = column.default.as_ref().map(postgres_literal);
        }
        if !(open.constraints.is_empty() && asked.is_empty()) {
            columns.extend(asked.iter().map(|column| (table.name.clone(), column.name.clone())));
            part.tables.insert(table.name.clone(), open);
        }
    }
    for (name, index) in &target.indexes {
        let probed = probe.indexes.get(name).unwrap_or(index);
        let differs = current.index(name) != Some(probed) || retyped.contains(&index.table);
        if differs && is_involved(index) && target.table(&index.table).is_some() {
            part.indexes.insert(name.clone(), index.clone());
        }
    }
    for (name, view) in &target.views {
        if current.view(name) != Some(view) || reads(view, retyped) {
            part.views.insert(name.clone(), view.clone());
        }
    }
    for (name, trigger) in &target.triggers {
        if current.trigger(name).is_none_or(|now| now.definition != trigger.definition) {
            part.triggers.insert(name.clone(), trigger.clone());
        }
    }
    let mut needed: Vec<&ObjectName> = part.indexes.values().map(|index| &index.table).collect();
    needed.extend(part.triggers.values().map(|trigger| &trigger.table));
    let moved = |table: &&Table| current.table(&table.name) != probe.table(&table.name);
    if !part.views.is_empty() {
        needed.extend(target.tables.values().filter(moved).map(|table| &table.name));
    }
    let needed: Vec<Table> = (needed.into_iter())
        .filter(|name| !part.tables.contains_key(name))
        .filter_map(|name| Some(bare(target.table(name)?)))
        .collect();
    part.tables.extend(needed.into_iter().map(|table| (table.name.clone(), table)));
    Open { part, columns }
}

/// The same things as the database has them now.
fn counterpart(
    current: &Schema,
    target: &Schema,
    (wanted, columns): (&Schema, &Columns),
    retyped: &BTreeSet<ObjectName>,
) -> Schema {
    let mut part = Schema::new(current.names);
    for name in wanted.tables.keys().filter(|name| !retyped.contains(*name)) {
        let Some(now) = current.table(name) else { continue };
        let mut now = now.clone();
        now.columns.retain(|column| !column.retained);
        let kept = target.table(name).map(|table| table.constraints.as_slice()).unwrap_or_default();
        let is_kept = |constraint: &Constraint| kept.iter().any(|other| other.kind == constraint.kind);
        now.constraints.retain(|constraint| is_checked(constraint) && !is_kept(constraint));
        for column in &mut now.columns {
            if !columns.contains(&(name.clone(), column.name.clone())) {
                strip(column);
            }
        }
        part.tables.insert(name.clone(), now);
    }
    let known = |name: &ObjectName| wanted.indexes.contains_key(name);
    let on_table = |index: &Index| part.tables.contains_key(&index.table);
    let indexes = current.indexes.iter().filter(|(name, index)| known(name) && on_table(index));
    part.indexes = indexes.map(|(name, index)| (name.clone(), index.clone())).collect();
    let same = |view: &View| wanted.views.contains_key(&view.name) && !reads(view, retyped);
    let views = current.views.iter().filter(|(_, view)| same(view));
    part.views = views.map(|(name, view)| (name.clone(), view.clone())).collect();
    let triggers = current.triggers.iter().filter(|(name, _)| wanted.triggers.contains_key(name));
    part.triggers = triggers.map(|(name, trigger)| (name.clone(), trigger.clone())).collect();
    part
}

/// A table with nothing but its columns.
fn bare(table: &Table) -> Table {
    let mut table = table.clone();
    table.constraints.clear();
    table.columns.iter_mut().for_each(strip);
    table
}

fn strip(column: &mut Column) {
    column.default = None;
    column.generated = None;
}

/// A table with those expressions that the present one does not have; of its columns only these keep theirs.
fn open_parts(now: Option<&Table>, table: &Table, asked: &[&Column]) -> Table {
    let mut open = table.clone();
    for column in &mut open.columns {
        if !asked.iter().any(|asked| asked.name == column.name) {
            strip(column);
        }
    }
    let known = |constraint: &Constraint| {
        now.is_some_and(|now| now.constraints.iter().any(|known| known.kind == constraint.kind))
    };
    for (number, constraint) in open.constraints.iter_mut().enumerate() {
        // The number is that of the constraint in the whole table, whatever is left out.
        constraint.name.get_or_insert_with(|| format!("{UNNAMED}{number}"));
    }
    open.constraints.retain(|constraint| is_checked(constraint) && !known(constraint));
    open
}

/// Whether a column says something that the server may put in other words.
fn has_text(column: &Column) -> bool {
    column.default.is_some() || column.generated.is_some() || is_native(&column.data_type)
}

fn is_native(data_type: &DataType) -> bool {
    match data_type {
        DataType::Native(_) => true,
        DataType::Array(inner) => is_native(inner),
        _ => false,
    }
}

fn is_checked(constraint: &Constraint) -> bool {
    matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::Native { .. })
}

fn is_involved(index: &Index) -> bool {
    let plain = |part: &pql_schema::IndexPart| {
        part.column.is_some() && part.opclass.is_none() && part.collation.is_none()
    };
    index.predicate.is_some() || index.with.is_some() || !index.parts.iter().all(plain)
}

/// What was read back.
struct Forms {
    wanted: Vec<Schema>,
    stored: Vec<Schema>,
    /// How often something was there for which no form that is known is one of what is wanted.
    doubts: Cell<usize>,
}

impl Forms {
    /// What to put for a thing: what is there, when that means the same; else what the server made of it.
    fn choose<T: Clone + PartialEq>(
        &self,
        get: impl Fn(&Schema) -> Option<T>,
        like: impl Fn(&Schema) -> Vec<T>,
    ) -> Option<T> {
        let wanted: Vec<T> = self.wanted.iter().filter_map(&get).collect();
        let now: Vec<T> = self.stored.first().map(&like).unwrap_or_default();
        for (position, there) in now.iter().enumerate() {
            let forms = self.stored.iter().filter_map(|schema| like(schema).into_iter().nth(position));
            if forms.into_iter().any(|form| wanted.contains(&form)) {
                return Some(there.clone());
            }
        }
        if !now.is_empty() {
            self.doubts.set(self.doubts.get() + 1);
        }
        wanted.into_iter().nth(1)
    }
}

fn resolve(target: &mut Schema, columns: &Columns, forms: &Forms) {
    let rule = target.names;
    let Some(open) = forms.wanted.first().cloned() else { return };
    for (name, asked) in &open.tables {
        let Some(table) = target.tables.get_mut(name) else { continue };
        let is_asked = |column: &&Column| columns.contains(&(name.clone(), column.name.clone()));
        for column in asked.columns.iter().filter(is_asked) {
            let get = |schema: &Schema| {
                let mut column = schema.table(name)?.column(&column.name, rule)?.clone();
                // These are no matter of spelling.
                (column.identity, column.not_null) = (None, column.not_null || column.identity.is_some());
                Some(column)
            };
            let Some(found) = forms.choose(get, |schema| get(schema).into_iter().collect()) else { continue };
            let Some(wanted) = table.column_mut(&column.name, rule) else { continue };
            (wanted.data_type, wanted.collation) = (found.data_type, found.collation);
            // A type may bring its own default along, and NOT NULL with it.
            if found.default.is_some() && wanted.default.is_none() {
                wanted.not_null |= found.not_null;
            }
            if wanted.identity.is_none() {
                (wanted.default, wanted.generated) = (found.default, found.generated);
            }
        }
        for constraint in &asked.constraints {
            let Some(own) = &constraint.name else { continue };
            let get = |schema: &Schema| {
                schema
                    .table(name)?
                    .constraints
                    .iter()
                    .find(|it| it.name.as_ref() == Some(own))
                    .map(|it| it.kind.clone())
            };
            let unnamed = own.strip_prefix(UNNAMED).and_then(|number| number.parse::<usize>().ok());
            let like = |schema: &Schema| -> Vec<ConstraintKind> {
                let all = schema.table(name).map(|table| table.constraints.as_slice()).unwrap_or_default();
                let fits = |it: &&Constraint| unnamed.is_some() || it.name.as_ref() == Some(own);
                all.iter().filter(fits).map(|it| it.kind.clone()).collect()
            };
            let Some(found) = forms.choose(get, like) else { continue };
            let place = match unnamed {
                Some(number) => table.constraints.get_mut(number),
                None => table.constraints.iter_mut().find(|it| it.name.as_ref() == Some(own)),
            };
            if let Some(place) = place {
                place.kind = found;
            }
        }
    }
    for name in open.indexes.keys() {
        let get = |schema: &Schema| {
            let Index { parts, predicate, with, method, .. } = schema.index(name)?.clone();
            Some((parts, predicate, with, method))
        };
        if let Some(found) = forms.choose(get, |schema| get(schema).into_iter().collect())
            && let Some(index) = target.indexes.get_mut(name)
        {
            (index.parts, index.predicate, index.with, index.method) = found;
        }
    }
    for name in open.views.keys() {
        let get = |schema: &Schema| schema.view(name).map(|view| view.query.clone());
        if let Some(found) = forms.choose(get, |schema| get(schema).into_iter().collect())
            && let Some(view) = target.views.get_mut(name)
        {
            view.query = found;
            // The query says them now.
            view.columns.clear();
        }
    }
    for name in open.triggers.keys() {
        let get = |schema: &Schema| schema.trigger(name).map(|trigger| trigger.definition.clone());
        if let Some(found) = forms.choose(get, |schema| get(schema).into_iter().collect())
            && let Some(trigger) = target.triggers.get_mut(name)
        {
            trigger.definition = found;
        }
    }
}
