//! Indexes and views.

use pql_schema::{Expr, Index, IndexPart, NullsOrder, ObjectName, SortOrder, View};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{self, AstNode as _};

use super::{Lowering, codes};
use crate::text::postgres_invented;

impl Lowering<'_> {
    pub(super) fn index(&mut self, def: &ast::IndexDef, unique: bool) -> Option<Index> {
        let table = self.table(&def.table()?)?;
        let parts: Vec<IndexPart> =
            def.elements().map(|element| self.index_part(&element, &table)).collect::<Option<_>>()?;
        let name = match def.name() {
            Some(name) => self.index_beside(&name, &table)?,
            None => self.invented(&table, &parts),
        };
        let method = match def.method().and_then(|method| method.name()) {
            Some(method) if !method.text().eq_ignore_ascii_case("btree") => {
                if self.is_sqlite() {
                    return self.unsupported(
                        method.span(),
                        format!("SQLite has no index method `{}`", method.text()),
                        "leave USING out: every index of SQLite is a b-tree",
                    );
                }
                Some(method.text().to_lowercase())
            }
            _ => None,
        };
        if self.is_sqlite() {
            let extra = [
                def.include().map(|it| it.span()),
                def.nulls_distinct().map(|it| it.span()),
                def.storage_params().map(|it| it.span()),
                def.tablespace().map(|it| it.span()),
            ];
            if let Some(span) = extra.into_iter().flatten().next() {
                return self.unsupported(
                    span,
                    "SQLite's indexes have no INCLUDE, NULLS DISTINCT, WITH or TABLESPACE",
                    "leave it out; columns to be read from the index can be added to its key",
                );
            }
        }
        if let Some(tablespace) = def.tablespace() {
            return self.unsupported(tablespace.span(), "PQL does not carry TABLESPACE", "leave it out");
        }
        if def.is_only() {
            return self.unsupported(def.span(), "PQL does not carry ON ONLY", "leave ONLY out");
        }
        let predicate = match def.condition() {
            Some(condition) => Some(self.expr(&condition)?),
            None => None,
        };
        Some(Index {
            name,
            unique,
            method,
            parts,
            include: def
                .include()
                .and_then(|include| include.columns())
                .map(|list| list.names().map(|name| self.column_of(&table, &self.fold(&name))).collect())
                .unwrap_or_default(),
            nulls_not_distinct: def.nulls_distinct().is_some_and(|nulls| nulls.is_not_distinct()),
            predicate,
            with: def
                .storage_params()
                .and_then(|params| params.params())
                .map(|params| settings(&params.text())),
            table,
        })
    }

    /// The name of an index to be made: it is always in the schema of its table, which need not be said.
    fn index_beside(&mut self, name: &ast::QualifiedName, table: &ObjectName) -> Option<ObjectName> {
        let found = self.object(name)?;
        if name.parts().count() > 1 && found.schema != table.schema {
            self.report(
                Diagnostic::error(
                    codes::BAD_NAME,
                    name.span(),
                    format!(
                        "the index `{}` cannot be in another schema than its table `{table}`",
                        name.text()
                    ),
                )
                .with_help("write the name of the index alone; it is made where its table is"),
            );
            return None;
        }
        Some(table.sibling(found.name))
    }

    fn index_part(&mut self, element: &ast::IndexElement, table: &ObjectName) -> Option<IndexPart> {
        let (expr, column) = match (element.column(), element.expr()) {
            (Some(name), _) => {
                let name = self.column_of(table, &self.fold(&name));
                (Expr::column(&name), Some(name))
            }
            (None, Some(expr)) => (self.expr(&expr)?, None),
            (None, None) => return None,
        };
        let order = match element.direction() {
            Some(ast::Direction::Descending) => SortOrder::Desc,
            _ => SortOrder::Asc,
        };
        let opclass = match element.opclass() {
            Some(opclass) if self.is_sqlite() => {
                return self.unsupported(
                    opclass.span(),
                    format!("SQLite has no operator class `{}`", opclass.text()),
                    "an index key is a column or expression with COLLATE, ASC or DESC",
                );
            }
            Some(opclass) => Some(opclass.text()),
            None => None,
        };
        // NULL is the smallest value in SQLite and the largest in PostgreSQL; saying so says nothing.
        let natural = match (order, self.is_sqlite()) {
            (SortOrder::Asc, true) | (SortOrder::Desc, false) => NullsOrder::First,
            (SortOrder::Desc, true) | (SortOrder::Asc, false) => NullsOrder::Last,
        };
        let nulls = element
            .nulls_first()
            .map(|first| if first { NullsOrder::First } else { NullsOrder::Last })
            .filter(|&nulls| nulls != natural);
        if nulls.is_some() && self.is_sqlite() {
            return self.unsupported(
                element.span(),
                "SQLite's indexes keep NULL as the smallest value",
                "leave NULLS FIRST or NULLS LAST out",
            );
        }
        let collation = element.collate().and_then(|collate| self.collation(&collate));
        Some(IndexPart { expr, column, collation, opclass, order, nulls })
    }

    /// The name that PostgreSQL would give an index without one, with a number where it is taken.
    fn invented(&self, table: &ObjectName, parts: &[IndexPart]) -> ObjectName {
        let keys: Vec<&str> = parts.iter().map(|part| part.column.as_deref().unwrap_or("expr")).collect();
        let stem = format!("{}_{}_idx", table.name, keys.join("_"));
        // Nobody chose this name, so nobody is told that it is too long.
        let kept = |name: String| if self.is_sqlite() { name } else { postgres_invented(&name) };
        let name = |n: usize| table.sibling(kept(if n == 0 { stem.clone() } else { format!("{stem}{n}") }));
        let most = self.schema.indexes.len() + 1;
        (0..=most).map(name).find(|name| self.schema.index(name).is_none()).unwrap_or_else(|| name(0))
    }

    pub(super) fn view(
        &mut self,
        name: &ast::QualifiedName,
        columns: Option<&ast::ColumnList>,
        query: Option<ast::Query>,
        materialized: bool,
    ) -> Option<View> {
        if materialized && self.is_sqlite() {
            return self.unsupported(
                name.span(),
                "SQLite has no materialized views",
                "create a table and fill it, or an ordinary view",
            );
        }
        let query = query?;
        let words: Vec<String> = query.tokens().map(|token| token.text().to_ascii_uppercase()).collect();
        if materialized
            && (words.ends_with(&["WITH".into(), "DATA".into()])
                || words.ends_with(&["NO".into(), "DATA".into()]))
        {
            return self.unsupported(
                query.span(),
                "PQL does not carry WITH [NO] DATA",
                "leave it out; REFRESH MATERIALIZED VIEW fills a view again",
            );
        }
        Some(View {
            name: self.object(name)?,
            columns: columns
                .map(|list| list.names().map(|name| self.fold(&name)).collect())
                .unwrap_or_default(),
            query: self.query(&query)?,
            materialized,
        })
    }
}

/// Storage parameters as PostgreSQL lists them: `a=1, b=x`, without the brackets around them.
pub(super) fn settings(text: &str) -> String {
    let mut out = String::new();
    for token in pql_schema::tokens(text.trim().trim_start_matches('(').trim_end_matches(')')) {
        match token.text {
            "," => out.push_str(", "),
            word => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn settings_in_one_spelling() {
        assert_eq!(
            super::settings("( fillfactor = 70,\n  fastupdate=off )"),
            "fillfactor=70, fastupdate=off"
        );
    }
}
