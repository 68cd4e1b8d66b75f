//! A walk over every expression of a schema.

use crate::{ConstraintKind, Expr, Index, Schema, Table};

impl Schema {
    /// Calls `f` for every expression.
    pub fn for_each_expr(&mut self, f: &mut impl FnMut(&mut Expr)) {
        self.tables.values_mut().for_each(|table| table.for_each_expr(f));
        self.indexes.values_mut().for_each(|index| index.for_each_expr(f));
        self.views.values_mut().for_each(|view| f(&mut view.query));
        self.triggers.values_mut().for_each(|trigger| f(&mut trigger.definition));
    }
}

impl Table {
    /// Calls `f` for every expression.
    pub fn for_each_expr(&mut self, f: &mut impl FnMut(&mut Expr)) {
        for column in &mut self.columns {
            column.default.iter_mut().for_each(&mut *f);
            column.generated.iter_mut().for_each(|generated| f(&mut generated.expr));
        }
        for constraint in &mut self.constraints {
            if let ConstraintKind::Check { expr } = &mut constraint.kind {
                f(expr);
            }
        }
    }
}

impl Index {
    /// Calls `f` for every expression.
    pub fn for_each_expr(&mut self, f: &mut impl FnMut(&mut Expr)) {
        self.parts.iter_mut().for_each(|part| f(&mut part.expr));
        self.predicate.iter_mut().for_each(f);
    }
}
